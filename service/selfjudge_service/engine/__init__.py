"""The engine's process: started, watched, and replaced under all that hold vLLM's client of it.

    replaceable_engine.py  vLLM's engine client, whose engine can be replaced
    lora_support.py        whether a model takes adapters, asked before an engine is started
    standby.py             a process that has imported everything and forks engines, so that a restart takes seconds
    deafness.py            SIGTERM is the server's: the engine ends after the requests under way, by another signal
    orphans.py             ends an engine whose server is gone
    watchdog.py            finds out that the engine has died or hangs
    supervisor.py          replaces it, with back-off, until it has failed too often
    status.py              whether requests can be answered at present

Only `selfjudge-serve` has this. A stock vLLM server with our plugin ends when its engine dies, as vLLM does.
"""
