"""The command `selfjudge-train`. Without the packages that training needs, it says what to install."""

import sys

from selfjudge.extras import missing_extra


def main() -> int:
    """Entry point."""
    try:
        from selfjudge_training import cli  # noqa: PLC0415

        # Commands import what they need when they run.
        return cli.main()
    except ModuleNotFoundError as missing:
        sys.exit(missing_extra("selfjudge-train", "an extra: pip install 'selfjudge[train]'", missing))
