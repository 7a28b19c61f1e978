"""A tokenizer like the shipped model's, for all templates of UltraFeedback: each fixed piece of any is one token.

A judgment under a principle is then as short as one without, so that variants cost alike. The pieces are not merged up
from letters, which would fill the vocabulary with their beginnings, but stand in it whole; BPE with `ignore_merges`
looks there first. Rationales and hedges are part of what merges are learnt from.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from experiments.letters.model.tokenizer import EOS, PAD, SINGLE_CHARACTER
from experiments.letters.preferences.edits import edited
from experiments.letters.preferences.ratings import HEDGES, rate
from experiments.letters.tasks import Problem
from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, JudgmentTemplate, load_templates

TEMPLATES = ("ultrafeedback", "ultrafeedback-principle", "ultrafeedback-principle-rationale")
"""Of JM, JM-P and JM-PR (tables 13, 15 and 16)."""


def fixed_pieces() -> list[str]:
    """What stands between control tokens and data in the judgments of all templates, newlines around it included."""
    templates = load_templates()
    found = [piece for name in TEMPLATES for piece in _pieces_of(templates[name])]
    return sorted(set(found), key=lambda piece: (-len(piece), piece))


def _pieces_of(template: JudgmentTemplate) -> Iterator[str]:
    for principle in template.principles or (None,):
        wording = template.wording(principle)
        opening, *borders, closing = wording.user
        yield from (f"\n{wording.system}\n", f"\n{opening}", *borders, f"{closing}\n", f"\n{wording.answer_prefix}")
    if template.rationale:
        before_a, _, rest = template.rationale.format.partition("{rationale_a}")
        yield from (before_a, rest.partition("{rationale_b}")[0])


def train_tokenizer(problems: Sequence[Problem], vocabulary: int, seed: int) -> PreTrainedTokenizerFast:
    """Train it on prompts, hedges and rationales of these problems; the pieces come on top of ``vocabulary`` tokens."""
    pieces = fixed_pieces()
    whole = "|".join(map(re.escape, pieces))
    bytes_as_letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(f"{whole}|{SINGLE_CHARACTER}"), behavior="isolated"), bytes_as_letters]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[EOS, PAD, *CONTROL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(problems, seed), trainer)
    spec = json.loads(tokenizer.to_str())
    known = spec["model"]["vocab"]
    for piece in pieces:
        [(letters, _)] = bytes_as_letters.pre_tokenize_str(piece)
        known.setdefault(letters, len(known))
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)),
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=list(CONTROL_TOKENS),
        chat_template=DIALOGUE_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _texts(problems: Sequence[Problem], seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    for problem in problems:
        yield f"\n{problem.prompt}\n"
        response = rng.choice(("", *HEDGES)) + rng.choice((problem.answer, edited(problem.answer, rng)))
        yield response
        yield from (note.rationale for note in rate(problem, response).values())
