"""The scale model: from measured costs of sampling and judging to throughput and latency for N, lengths and replicas.

    clock.py        simulated time
    costs.py        seconds that a step of the engine and the work of its front end take
    engine.py       an engine that batches as vLLM does
    replica.py      a server that holds tournaments
    simulate.py     requests that come to it
    cells.py        what is measured, on a real server, to calibrate and to check
    measure.py      measures them
    calibrate.py    from measurements to costs
    check.py        predictions beside measurements
    roofline.py     what a step would take on a GPU, by its data sheet
    assumptions.py  GPUs, models and shares of their peak that are assumed, with sources, from assumptions.yaml
    plan.py         replicas and GPUs for a given load
    page.py         scale.md
    files.py        scale.json, .md, .png and .svg
    __main__.py     the command

`docs/scale.md` has the formulas. Not modelled: failures, adapters, refusals (load beyond capacity queues without end),
eviction from the prefix cache, and routing that is better than random.
"""
