"""Versions of adapters on disk: what one is, whether it can be used, and a store of them that many processes share.

Training publishes to a store, and the server reads from it; neither engine nor PyTorch is needed here.
"""

from selfjudge.adapters.base import Base, Shapes, read_base
from selfjudge.adapters.check import check_adapter
from selfjudge.adapters.config import ENGINE_RANKS, AdapterConfig, EngineRank
from selfjudge.adapters.manifest import Manifest, PolicyName, VersionName
from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError, AdapterFault

__all__ = [
    "ENGINE_RANKS",
    "AdapterConfig",
    "AdapterError",
    "AdapterFault",
    "Base",
    "EngineRank",
    "Manifest",
    "PolicyName",
    "Shapes",
    "Store",
    "VersionName",
    "check_adapter",
    "read_base",
]
