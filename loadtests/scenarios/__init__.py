"""Load scenarios: what comes back in time, at which rate, for how many candidates and how long prompts.

    scenarios.yaml     the scenarios
    cells.py           what such a file may say
    aiperf.py          the load generator: Poisson arrivals in an open loop, and its records
    suite.py           the experiment: each scenario on a server of its own
    goodput.py         goodput under two objectives, answers per core, memory
    scenario_page.py   page and plot

aiperf has an environment of its own, `make aiperf`: its packages clash with those of the server.
"""
