"""Which weight of the base model each tensor of an adapter belongs to, whatever the architecture.

PEFT names tensors after modules in memory, base models after weights in files. The two differ at most in what stands
before the layers (`model.`, `language_model.`), so names are matched from their ends. Shapes are not compared here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from selfjudge.adapters.base import Shapes
from selfjudge.adapters.config import AdapterConfig
from selfjudge.adapters.tensors import Tensor
from selfjudge.errors import AdapterError

_KEY: Final = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(\.weight)?")


class LoraModule(NamedTuple):
    """The two matrices that an adapter adds to one weight."""

    name: str
    """Of the module, as PEFT knows it."""
    weight: str
    """Of the base model's weight, as its files know it."""
    a: Tensor
    b: Tensor
    embedding: bool


def pair_up(path: Path, tensors: Mapping[str, Tensor], shapes: Shapes) -> list[LoraModule]:
    """The modules of an adapter. Raises AdapterError `keys` where a tensor is unknown to the model, or alone."""
    strange, sides = [], defaultdict[tuple[str, bool], dict[str, Tensor]](dict)
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        # lora_embedding_A is a parameter, lora_A a module with a weight.
        if match is None or (match["embedding"] is None) != key.endswith(".weight"):
            strange.append(key)
        else:
            sides[match["module"], match["embedding"] is not None][match["side"]] = tensor
    weights = _by_ending(shapes)
    modules, halves = [], []
    for (name, embedding), pair in sides.items():
        weight = _weight_of(name, weights)
        if weight is None:
            strange.append(name)
        elif pair.keys() != {"A", "B"}:
            halves.append(f"lora_{'B' if 'A' in pair else 'A'} of {name}")
        else:
            modules.append(LoraModule(name, weight, pair["A"], pair["B"], embedding))
    _require_none(path, missing=halves, strange=strange)
    if not modules:
        raise AdapterError("keys", f"{path} holds no tensors")
    return modules


def require_all(path: Path, modules: Iterable[LoraModule], config: AdapterConfig, shapes: Shapes) -> None:
    """Raises AdapterError `keys` where the configuration targets modules that the adapter lacks, or not what it has."""
    by_name = {module.name: module for module in modules}
    untargeted = [name for name in by_name if not config.targets(name)]
    siblings = defaultdict[str, list[str]](list)
    for weight in shapes:
        siblings[_kind(weight)].append(weight)
    missing = {
        name
        for module in _one_of_each_kind(by_name.values())
        for name in _names_of(siblings[_kind(module.weight)], module)
        if name not in by_name and config.targets(name)
    }
    unmet = _unmet([*by_name, *missing], config, shapes)
    _require_none(path, missing=[*sorted(missing), *unmet], strange=untargeted)


def _unmet(names: Iterable[str], config: AdapterConfig, shapes: Shapes) -> list[str]:
    """Targets that are in the base model and nowhere in the adapter.

    Experts are left out: Transformers fuses in memory what their files hold one by one, and PEFT then finds none.
    """
    if isinstance(config.target_modules, str):
        return []
    known = [weight.removesuffix(".weight") for weight, shape in shapes.items() if len(shape) == 2]
    plain = [name for name in known if ".experts." not in name and config.targets(name)]
    return [
        target
        for target in config.target_modules
        if any(_ends(name, target) for name in plain) and not any(_ends(name, target) for name in names)
    ]


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _one_of_each_kind(modules: Iterable[LoraModule]) -> list[LoraModule]:
    return list({_kind(module.weight): module for module in modules}.values())


def _names_of(weights: Iterable[str], like: LoraModule) -> list[str]:
    """What PEFT calls the modules of these weights, which differ from one of the same kind in numbers only."""
    common = len(_common_ending(f"{like.name}.weight", like.weight))
    theirs, ours = f"{like.name}.weight"[:-common], like.weight[:-common]
    return [theirs + weight.removeprefix(ours).removesuffix(".weight") for weight in weights if weight.startswith(ours)]


def _common_ending(first: str, second: str) -> str:
    for length in range(min(len(first), len(second)), 0, -1):
        if first[-length:] == second[-length:]:
            return first[-length:]
    return ""


def _kind(name: str) -> str:
    """A name without its numbers, the same for all layers and all experts."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def _by_ending(shapes: Shapes) -> dict[str, list[str]]:
    """Names of weights by each of their endings, cut at dots and without `.weight`."""
    found = defaultdict[str, list[str]](list)
    for weight in shapes:
        parts = weight.removesuffix(".weight").split(".")
        for start in range(len(parts)):
            found[".".join(parts[start:])].append(weight)
    return found


def find_weight(module: str, shapes: Shapes) -> str | None:
    """The weight of the base model that belongs to a module; None where there is none, or more than one may."""
    return _weight_of(module, _by_ending(shapes))


def _weight_of(module: str, weights: Mapping[str, list[str]]) -> str | None:
    """The weight whose name ends as the module's does; None where there is none, or more than one.

    What is cut off at the front stands before the word before the first number: `layers.0...` has to be there.
    """
    parts = module.split(".")
    first_number = next((place for place, part in enumerate(parts) if part.isdigit()), 1)
    for start in range(max(first_number, 1)):
        found = weights.get(".".join(parts[start:]), [])
        exact = [weight for weight in found if weight == f"{module}.weight"]
        if len(found) == 1 or exact:
            return (exact or found)[0]
    return None


def _require_none(path: Path, *, missing: list[str], strange: list[str]) -> None:
    if missing or strange:
        raise AdapterError(
            "keys",
            f"{path} holds no adapter of this model: {len(missing)} parts are missing{_first(missing)}, "
            f"{len(strange)} are unknown to the model{_first(strange)}",
        )


def _first(names: list[str]) -> str:
    return f" (first {names[0]})" if names else ""
