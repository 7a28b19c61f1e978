"""The examples of a run: those of its data sets, encoded once and kept in its folder."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc  # type: ignore[import-untyped]  # it ships no py.typed
from datasets import Dataset, Features, List, Value  # type: ignore[import-untyped]  # likewise

from selfjudge import Chat, InPlaceTemplate, JudgmentTemplate
from selfjudge_training.data.examples.jsft_example import JsftExample
from selfjudge_training.data.examples.jsft_set import each_example
from selfjudge_training.data.examples.shown import require_dialogue
from selfjudge_training.data.load import Fit, Loaded, load_demonstrations, load_overall_pairs, load_pairs, load_scored
from selfjudge_training.data.records import Demonstration, PreferencePair, ScoredResponse
from selfjudge_training.data.source import DataError
from selfjudge_training.jsft.batches import Row
from selfjudge_training.jsft.jsft_config import Data, JsftConfig
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.kept_rows import find_rows, make_rows, own_share
from selfjudge_training.run.named_model import find_comparing_template, find_scoring_template
from selfjudge_training.run.processes import processes

EXAMPLES = "examples"
"""Their folder within the run's."""

_FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "loss_mask": List(Value("bool")),
        "form": Value("string"),
        "replay": List(Value("int32")),
        "cut": Value("bool"),
    }
)


class Sources(NamedTuple):
    """What a JSFT set is made of."""

    demonstrations: Loaded[Demonstration]
    pairs: Loaded[PreferencePair]
    scored: Loaded[ScoredResponse]
    encode: Callable[..., Iterator[JsftExample]]
    """Of demonstrations, pairs and scored responses; `each_example`, but for what the configuration says."""
    templates: tuple[JudgmentTemplate | InPlaceTemplate, ...]
    """Of pairs."""

    @property
    def account(self) -> str:
        """For people."""
        lines = [*self.demonstrations.account("demonstrations"), *self.pairs.account("pairs")]
        return "\n".join([*lines, *(self.scored.account("scored responses") if self.scored.rows else ())])

    @property
    def in_place(self) -> int:
        """How many judgments in place there are where none is too long."""
        forms = sum(isinstance(template, InPlaceTemplate) for template in self.templates)
        return 2 * forms * len(self.pairs.records) + len(self.scored.records)

    @property
    def examples(self) -> int:
        """How many there are where nothing is left out."""
        documents = sum(isinstance(template, JudgmentTemplate) for template in self.templates)
        return len(self.demonstrations.records) + 2 * documents * len(self.pairs.records) + self.in_place


def load_sources(data: Data, chat: Chat, seed: int) -> Sources:
    """Raises ConfigError and DataError."""
    templates = tuple(find_comparing_template(name, "data.template", data.templates) for name in data.named_templates)
    scoring = find_scoring_template(data.score_template, "data.score_template", data.templates) if data.scores else None
    learnable = partial(require_dialogue, chat, system=data.system)
    encode = partial(
        each_example, chat, templates, score_template=scoring, max_tokens=data.max_length, system=data.system
    )
    pairs = _pairs(data, templates, seed, learnable)
    demonstrations = load_demonstrations(data.demonstrations, strict=data.strict, fit=learnable)
    return Sources(
        demonstrations, pairs, load_scored(data.scores, strict=data.strict, fit=learnable), encode, templates
    )


def _pairs(
    data: Data, templates: Sequence[JudgmentTemplate | InPlaceTemplate], seed: int, learnable: Fit
) -> Loaded[PreferencePair]:
    """What pairs are depends on their template; several templates share pairs on the whole."""
    documents = [template for template in templates if isinstance(template, JudgmentTemplate)]
    if len(documents) == len(templates) == 1:
        return load_pairs(data.pairs, documents[0], seed=seed, strict=data.strict)
    for template in documents:
        if template.principles or template.rationale:
            raise ConfigError(
                f"data.template: {template.name!r} judges under principles, and so by other pairs than the other "
                "templates named: name it alone"
            )
    in_place = len(documents) < len(templates)
    return load_overall_pairs(data.pairs, seed=seed, strict=data.strict, fit=learnable if in_place else None)


def kept_examples(data: Data, chat: Chat, seed: int, folder: Path, *, begun: bool) -> Dataset:
    """The JSFT set of a configuration, its rows `Row`s; to be called by all processes.

    Where the run has `begun`, what its folder holds is used as it is; otherwise it is made, with an account of it on
    stdout. Raises ConfigError and DataError.
    """
    found = find_rows(folder / EXAMPLES, begun=begun)
    if found is not None:
        return found
    sources, main = load_sources(data, chat, seed), processes().is_main_process
    if main:
        print(sources.account, flush=True)
    encode = partial(sources.encode, replay=data.replay > 0, quiet=not main)
    dialogues = map(as_row, encode(own_share(sources.demonstrations.records), []))
    judgments = map(as_row, encode([], own_share(sources.pairs.records)))
    scores = map(as_row, encode([], [], own_share(sources.scored.records)))
    kinds = {"dialogues": dialogues, "judgments": judgments} | ({"scores": scores} if data.scores else {})
    made = make_rows(folder / EXAMPLES, _FEATURES, kinds)
    if main:
        left_out = sources.examples - len(made)
        print(f"{len(made):,} examples, {sum(made['cut'][:]):,} of them cut to {data.max_length:,} tokens", end="; ")
        print(f"{left_out:,} left out, as no target fits in", flush=True)
    return made


def lengths(examples: Dataset) -> list[int]:
    """Of each example, in tokens."""
    counted: list[int] = pc.list_value_length(examples.data.column("input_ids")).to_pylist()
    return counted


def as_row(example: JsftExample) -> Row:
    """As it is kept."""
    return Row(
        input_ids=example.input_ids,
        loss_mask=example.loss_mask,
        form=example.form,
        replay=list(example.replay),
        cut=example.cut,
    )


def held_out_examples(config: JsftConfig, chat: Chat) -> Dataset:
    """The judgments of a configuration's held-out pairs and scores, in memory. Raises DataError."""
    held_out = {"demonstrations": (), "pairs": config.evaluation.pairs, "scores": config.evaluation.scores}
    sources = load_sources(config.data.model_copy(update=held_out), chat, config.seed)
    made = sources.encode([], sources.pairs.records, sources.scored.records, quiet=True)
    rows = [as_row(example) for example in made]
    if not rows:
        raise DataError("evaluation: the sources give no judgment")
    return Dataset.from_list(rows, features=_FEATURES)
