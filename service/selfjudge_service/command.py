"""The command `selfjudge-serve`. Without the packages that serving needs, it says what to install.

The engine's process imports this module too, and by it the launcher and early.py, before anything of vLLM.
"""

import sys
from importlib.util import find_spec

from selfjudge.extras import missing_extra

_EXTRAS = (
    "an extra: on a machine with an NVIDIA GPU, pip install 'selfjudge[cuda]'; on a CPU, `make serve` in a checkout, "
    "which installs requirements/cpu.txt"
)

try:
    if find_spec("vllm") is None:  # the launcher imports it late
        raise ModuleNotFoundError(name="vllm")  # noqa: TRY301
    from selfjudge_service.server import launcher
except ModuleNotFoundError as missing:
    _MISSING: str | None = missing_extra("selfjudge-serve", _EXTRAS, missing)
else:
    _MISSING = None


def main() -> None:
    """Entry point."""
    if _MISSING:
        sys.exit(_MISSING)
    launcher.main()
