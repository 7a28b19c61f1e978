"""The toy's tokenizers: byte-level BPE in which each fixed piece of the judgment templates is one token.

No token straddles the border between template and data, and a judgment of short answers is some 30 tokens long, under a
principle as without: each token saved there is saved in every judgment, in training and in service. The pieces are not
merged up from letters, which would fill the vocabulary with their beginnings, but stand in it whole; BPE with
`ignore_merges` looks there first. Every digit, and every capital letter that does not begin a word, is a token of its
own, so that payloads have one token per item and the choice tokens are never merged with anything. Any text can be
encoded, byte by byte where it must be; only end, padding and roles are special.
"""

import json
import re
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, JudgmentTemplate

EOS, PAD = "<|eos|>", "<|pad|>"
SINGLE_CHARACTER = "[0-9]|[A-Z](?![a-z])"


def fixed_pieces(templates: Iterable[JudgmentTemplate]) -> list[str]:
    """What stands between control tokens and data in their judgments, newlines around it included; longest first."""
    found: set[str] = set()
    for template in templates:
        for principle in template.principles or (None,):
            wording = template.wording(principle)
            opening, *borders, closing = wording.user
            found |= {f"\n{wording.system}\n", f"\n{opening}", *borders, f"{closing}\n", f"\n{wording.answer_prefix}"}
        if template.rationale:
            before_a, _, rest = template.rationale.format.partition("{rationale_a}")
            found |= {before_a, rest.partition("{rationale_b}")[0]}
    return sorted(found, key=lambda piece: (-len(piece), piece))


def train_tokenizer(
    texts: Iterable[str], templates: Sequence[JudgmentTemplate], vocabulary: int
) -> PreTrainedTokenizerFast:
    """Train it on texts; the templates' pieces come on top of ``vocabulary`` tokens."""
    pieces = fixed_pieces(templates)
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
    tokenizer.train_from_iterator(texts, trainer)
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
