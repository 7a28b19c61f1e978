"""The shipped model's tokenizer: byte-level BPE in which each fixed piece of the judgment template is one token.

The pieces of the template around context and responses are cut out whole, so that they merge to a token each and no
token ever straddles the border between template and data: a judgment of short answers is some 30 tokens long, and
each token saved there is saved in every judgment, in training and in service. Every digit, and every capital letter
that does not begin a word, is a token of its own, so that payloads have one token per item and the choice tokens
``A`` and ``B`` are never merged with anything. Nothing else is split before merging, not even at spaces. Any text
can be encoded, byte by byte where it must be, and all of it is plain BPE: only end, padding and roles are special.
"""

import re
from collections.abc import Sequence
from itertools import chain

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from experiments.letters.tasks import Problem
from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, JudgmentTemplate

EOS, PAD = "<|eos|>", "<|pad|>"
SINGLE_CHARACTER = "[0-9]|[A-Z](?![a-z])"


def fixed_pieces(template: JudgmentTemplate) -> list[str]:
    """What stands between control tokens and data in a judgment, newlines of the dialogue template included."""
    wording = template.wording()
    opening, *borders, closing = wording.user
    return [f"\n{wording.system}\n", f"\n{opening}", *borders, f"{closing}\n", f"\n{wording.answer_prefix}"]


def train_tokenizer(
    problems: Sequence[Problem], template: JudgmentTemplate, vocabulary: int
) -> PreTrainedTokenizerFast:
    """Train the tokenizer, of at most ``vocabulary`` tokens, on dialogues and judgments of these problems.

    The template's fixed pieces, which every judgment repeats, merge before anything else.
    """
    pieces = fixed_pieces(template)
    whole = "|".join(re.escape(piece) for piece in sorted(pieces, key=len, reverse=True))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"{whole}|{SINGLE_CHARACTER}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[EOS, PAD, *CONTROL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    dialogues = (f"\n{problem.prompt}\n" for problem in problems)
    judgments = ("".join((*pieces, problem.prompt)) for problem in problems)
    tokenizer.train_from_iterator(chain(judgments, dialogues), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=list(CONTROL_TOKENS),
        chat_template=DIALOGUE_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
