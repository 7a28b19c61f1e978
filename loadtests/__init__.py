"""Experiments on a running server: `python -m loadtests [EXPERIMENT]`. Each writes a page.

__main__.py      the command, and what an experiment is
server.py        starts a server and talks to it
processes.py     memory and processor time of its processes
workload.py      prompts, and clients in closed loops
report.py        the page, its plot and the figures behind them
machine.py       the machine and the versions that were measured

benchmark/       speed: against the bare engine, and against a client that holds the tournament itself
scenarios/       goodput and latency under open-loop arrivals, by aiperf
overload/        ten times more than the server can do
swaps/           a policy's version is switched again and again
restarts.py      the engine is killed, and hangs
"""
