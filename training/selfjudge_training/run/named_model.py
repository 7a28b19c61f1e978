"""The model and the judgment template that a configuration names: which ones, and whether they are there.

Transformers asks the hub for anything that is no folder, again and again where it does not answer; a mistyped path
would be reported after minutes.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from pydantic import AfterValidator
from transformers import PreTrainedConfig

from selfjudge import InPlaceTemplate, JudgmentTemplate, load_in_place_templates, load_templates
from selfjudge.errors import ShippedModelError
from selfjudge.shipped import find_shipped, full_name, prepare_folder, shipped_at
from selfjudge_training.run.config import ConfigError

SECONDS = 10
"""That the hub has for its answer."""

Found = TypeVar("Found")


def find_model(name: str) -> str:
    """The folder of a model that comes with the package, made or not, for its name; any other name as it is.

    Raises ConfigError where this copy of the package lacks a part of it.
    """
    shipped = full_name(name)
    if shipped is None:
        return name
    try:
        return str(find_shipped(shipped))
    except ShippedModelError as error:
        raise ConfigError(f"{shipped}: {error}") from error


ModelName = Annotated[str, AfterValidator(find_model)]
"""A model folder, the name of one that ships (`selfjudge-smollm2`, `smollm2-135m-instruct`, `selfjudge-tiny`), or,
where a key takes it, a model on the hub."""
ModelFolder = Annotated[Path, AfterValidator(lambda path: Path(find_model(str(path))))]
"""The same, where it has to be a folder."""


def require_folder(folder: Path, key: str, file: str = "config.json") -> None:
    """Makes the folder if it is that of a model that ships, and is missing.

    Raises ConfigError, naming the configuration's ``key``, where it holds no model.
    """
    _make_ready(folder, key)
    if not (folder / file).is_file():
        raise ConfigError(f"{key}: {folder} holds no model (no {file}); name a model folder, like what JSFT writes")


def require_context(model: PreTrainedConfig, tokens: int, key: str) -> None:
    """Raises ConfigError, naming the ``key`` that says so, where sequences may be longer than a model's context."""
    context = getattr(model.get_text_config(), "max_position_embeddings", None)
    if context is not None and tokens > context:
        raise ConfigError(f"{key}: {tokens} is more than the context of {context} that the model has")


def require_model(name: str, key: str, file: str = "config.json") -> None:
    """Raises ConfigError unless ``file`` is in a folder of this name, in the hub's cache here, or on the hub.

    Makes the folder if it is that of a model that ships.
    """
    _make_ready(Path(name), key)
    if Path(name).is_dir():
        return require_folder(Path(name), key, file)
    try:
        if not isinstance(try_to_load_from_cache(name, file), str):
            get_hf_file_metadata(hf_hub_url(name, file), timeout=SECONDS)
    except Exception as error:  # the hub's client raises almost anything
        raise ConfigError(
            f"{key} {name!r}: no such folder here, and not to be had from the hub, whose names are like "
            f"'mistralai/Mistral-7B-v0.1': {error}"
        ) from error


def _make_ready(folder: Path, key: str) -> None:
    shipped = shipped_at(folder)
    if shipped is None:
        return
    try:
        prepare_folder(shipped, lambda line: print(line, file=sys.stderr, flush=True))
    except ShippedModelError as error:
        raise ConfigError(f"{key}: {error}") from error


def find_template(name: str, key: str, folder: Path | None = None) -> JudgmentTemplate:
    """A template that comes with the package, or one in a folder of the user's. Raises ConfigError."""
    return _named(name, key, load_templates(folder))


def find_comparing_template(name: str, key: str, folder: Path | None = None) -> JudgmentTemplate | InPlaceTemplate:
    """One by which two responses are compared, of a document or in place. Raises ConfigError."""
    in_place = {known: each for known, each in load_in_place_templates(folder).items() if each.compares}
    templates: dict[str, JudgmentTemplate | InPlaceTemplate] = {**load_templates(folder), **in_place}
    return _named(name, key, templates)


def find_scoring_template(name: str, key: str, folder: Path | None = None) -> InPlaceTemplate:
    """One by which a response is judged alone. Raises ConfigError."""
    return _named(name, key, _scoring(folder))


def find_judge_template(name: str, key: str, folder: Path | None = None) -> JudgmentTemplate | InPlaceTemplate:
    """One of a document, or one that scores in place. Raises ConfigError."""
    templates: dict[str, JudgmentTemplate | InPlaceTemplate] = {**load_templates(folder), **_scoring(folder)}
    return _named(name, key, templates)


def _scoring(folder: Path | None) -> dict[str, InPlaceTemplate]:
    return {known: each for known, each in load_in_place_templates(folder).items() if not each.compares}


def _named(name: str, key: str, templates: Mapping[str, Found]) -> Found:
    if name not in templates:
        raise ConfigError(f"{key}: {name!r} is unknown; known are {', '.join(sorted(templates))}")
    return templates[name]
