"""Versions of policies in the running server: what is loaded, and what a policy's name stands for.

    record.py          what a policy serves (active, previous, canaries), kept in the store
    copies.py          private, validated copies of versions: what the engine loads can't change or vanish under it
    adapter_engine.py  what the registry needs of the engine: load, unload, probe
    registry.py        loads, switches, and keeps a version until its last request is done
    criteria.py        what a version must reach before it becomes active, from settings and files
    gate.py            holds a version against that; how versions did
    changes.py         activation, rollback, canaries, deletion; follows other replicas and, where wanted, new versions
    replicas.py        notes that the replicas on one store leave of what they serve
    start.py           puts these together for vLLM's server, and moves them to a fresh engine

`selfjudge-train publish` publishes versions. vLLM's `load_inplace` is not used, because it mixes weights within an
answer.
"""
