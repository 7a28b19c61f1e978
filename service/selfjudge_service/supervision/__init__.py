"""Keeps the server up: rebuilds an engine that died or hangs, and stops without losing what was accepted.

    engine.py      vLLM's engine client, whose engine can be rebuilt under all who hold it
    standby.py     a process that has imported everything already and forks engines, so that a rebuild takes seconds
    preload.py     what that process imports
    deafness.py    keeps signals to the whole group from ending the engine under requests that are being finished
    orphans.py     ends an engine whose server is gone
    status.py      whether requests can be answered at present
    watch.py       finds out that the engine has died or hangs
    supervisor.py  rebuilds it, with back-off, until it has failed too often
    gate.py        refuses requests that can't be answered now, and knows those under way
    certificates.py  those of HTTPS, renewed while the server runs
    drain.py       SIGTERM and SIGINT: what is under way is finished, then the server ends
    serve.py       vLLM's application on an HTTP server of these habits
    metrics.py     what all this tells Prometheus

Only `selfjudge-serve` has this. A stock vLLM server with our plugin ends when its engine dies, as vLLM does. Leaves
out several API servers in front of one engine, which our launcher doesn't start.
"""
