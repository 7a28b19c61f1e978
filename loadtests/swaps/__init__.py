"""Swaps under load: a policy's active version is switched again and again while clients ask for tournaments.

    versions.py    adapters that write in alphabets of their own, so that every answer shows whose weights made it
    load.py        clients that ask all the time, and what they are told
    inventory.py   what the server holds: memory, adapters in the engine, requests that lease a version
    scenario.py    without swaps, with, and without again
    costs.py       what LoRA costs requests that use none, and a start that loads versions
    base_only.py   what a store costs requests that use the base, side by side; a command of its own
    logs.py        servers' logs, kept where something goes wrong
    report.py      figures, and the checks that they must pass
    table.py, plot.py, files.py   the report for people

`python -m loadtests.swaps` runs it all. Leaves out several replicas, which share no engine and so disturb nobody.
"""
