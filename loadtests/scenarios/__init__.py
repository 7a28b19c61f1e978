"""Load scenarios: what comes back in time, at which rate, for how many candidates and how long prompts.

    scenarios.yaml   the scenarios
    settings.py      what such a file may say
    aiperf.py        the load generator: Poisson arrivals in an open loop, and its records
    watch.py         memory and processor time of the server meanwhile
    run.py           one scenario on a server of its own
    figures.py       goodput under two objectives, latency against N=1, throughput per core, memory
    page.py          what was found, for people
    files.py         page, plot, and the figures behind them
    __main__.py      the command: `python -m loadtests.scenarios NAME`, or `all`

aiperf has an environment of its own, `make aiperf`: its packages clash with those of the server.
"""
