"""The engine's process: started, watched, and replaced under all that hold vLLM's client of it.

    replaceable_engine.py  vLLM's engine client, whose engine can be replaced
    standby.py             a process that has imported everything and forks engines, so that a restart takes seconds
    engine_process.py      what a process of an engine does: it ends when its server says so or is gone, and not before
    supervisor.py          finds out that the engine has died or hangs; replaces it until it has failed too often
    status.py              whether requests can be answered at present

Only `selfjudge-serve` has this. A stock vLLM server with our plugin ends when its engine dies, as vLLM does.
"""
