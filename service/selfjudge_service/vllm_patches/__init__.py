"""Faults and slow places of vLLM that are mended in its own classes, until vLLM has mended them.

    versions.py          an untried version is refused
    patching.py          which patch is for which versions
    sampler_patch.py     a judge read shortens the `top_logprobs` of another request
    cache_patch.py       NaN in a freed cache block spoils other requests
    cpu_lora_patch.py    LoRA on a CPU
    cpu_seeds_patch.py   a request with a seed ends the engine on a CPU
    cpu_norm_patch.py    RMS norms on a CPU
    cpu_top_p_patch.py   top-p on a CPU
    cpu_draw_patch.py    sampling on a CPU

A patch says which versions have its fault, and replaces something of vLLM's when it is called, never when it is
imported.
"""
