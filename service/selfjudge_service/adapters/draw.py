"""Which version a request for a policy gets: canaries get their shares, the active one the rest."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

from selfjudge_service.adapters.record import Record

_DRAWN: Final = 2**64


def draw(policy: str, record: Record, sticky: str | None, is_loaded: Callable[[str], bool]) -> str:
    """A version of the policy; an empty name where none is active.

    Canaries get their shares of the range from 0 up, so as a weight grows, none that had the canary loses it. A
    request's place in the range is that of its sticky text, or else drawn anew.
    """
    point = secrets.randbelow(_DRAWN) if sticky is None else _point(policy, sticky)
    reached = 0.0
    for version, weight in sorted(record.canaries.items()):
        reached += weight
        if point < reached * _DRAWN and is_loaded(version):
            return version
    return record.active or ""


def _point(policy: str, sticky: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{policy}\n{sticky}".encode()).digest()[:8])
