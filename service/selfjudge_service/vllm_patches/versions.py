"""The versions of vLLM that this package has been tried with."""

from typing import Final

from packaging.specifiers import SpecifierSet

from selfjudge.errors import SelfJudgeError

TRIED: Final = SpecifierSet(">=0.32,<0.34")
"""The same as pyproject.toml's."""


class UntriedVersionError(SelfJudgeError):
    """This version of vLLM has not been tried."""


def require_tried(version: str) -> None:
    """Refuses a version of vLLM that has not been tried, release candidates and development versions among them.

    Raises:
        UntriedVersionError: saying which version was found, and which are accepted.
    """
    if not TRIED.contains(version, prereleases=False):
        raise UntriedVersionError(
            f"vLLM {version} is installed. selfjudge replaces parts of vLLM's own classes, and has been tried on "
            f"releases {TRIED} only: install one of these. A plain vLLM of any version works where VLLM_PLUGINS does "
            "not name selfjudge."
        )
