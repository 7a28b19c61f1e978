"""The commands of `selfjudge-train`, one file each.

A module has `NAME`, `HELP` (one line), `DESCRIPTION`, `add_arguments(parser)` and `run(options) -> exit status`.
It imports its work inside `run`, as PyTorch would make `--help` and mistyped commands slow. `cli` collects them.
"""
