"""The command `selfjudge-serve`: from its options to vLLM's application on an HTTP server that outlives its engine.

    launcher.py      the command: reads the options, serves, says how far it is
    options.py       vLLM's flags and ours, and their defaults
    served_model.py  the model, made ready to be loaded
    cpu_dtype.py     the type of numbers on a CPU, and bfloat16_probe.py, which tries one
    early.py         what must be so before vLLM is imported
    preload.py       what the process that forks engines imports
    serve.py         the server
    connections.py   its connections: clients have time limits, answers have none
    certificates.py  those of HTTPS, renewed while the server runs
    shutdown.py      SIGTERM and SIGINT: what is under way is finished, then the server ends

The launcher does not start several API servers in front of one engine.
"""
