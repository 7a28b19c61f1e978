"""The inference server: selection and judging as a plugin of vLLM's OpenAI server, and its launcher.

    command.py, server/   the command `selfjudge-serve`: options, HTTP server, shutdown
    engine/               the engine under it: started, watched, replaced
    plugin.py             what any vLLM server gets of us: routes, middleware, state
    api/                  our routes
    middleware/           what a request passes before its route
    state.py              what routes find in the application
    adapters/             versions of policies: loaded, switched, gated
    best_of_n/            one best-of-N request from plan to answer, and the judge
    admission/            which requests run, wait or are refused
    observability/        metrics, logs, traces, the log of tournaments
    protocol/             request bodies, and every error of the API
    settings.py           what an operator can set, by flag or variable
    engine_plugin.py, vllm_patches/   patches of vLLM itself

Each imports only what stands below it.
"""
