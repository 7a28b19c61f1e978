"""`python -m selfjudge.shipped NAME`: makes the folder of a model that comes with the package, and prints its path."""

import argparse
import sys

from selfjudge.errors import ShippedModelError
from selfjudge.shipped.folders import prepare_folder
from selfjudge.shipped.names import DEFAULT, NAMES


def main() -> None:
    """Makes it, with its progress on stderr."""
    parser = argparse.ArgumentParser(prog="python -m selfjudge.shipped", description=__doc__)
    parser.add_argument("name", nargs="?", default=DEFAULT, choices=NAMES, help=f"default: {DEFAULT}")
    name = parser.parse_args().name
    try:
        folder = prepare_folder(name, lambda line: print(line, file=sys.stderr, flush=True))
    except ShippedModelError as error:
        sys.exit(f"selfjudge: {error}")
    print(folder)


if __name__ == "__main__":
    main()
