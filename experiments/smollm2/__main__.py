"""The command line: `python -m experiments.smollm2 evaluate`."""

import argparse

from experiments.smollm2.evidence.evaluate import add_evaluate


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m experiments.smollm2", description=__doc__)
    commands = parser.add_subparsers(required=True)
    add_evaluate(commands)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
