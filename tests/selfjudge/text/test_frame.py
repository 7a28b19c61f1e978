"""Text that is encoded in parts has the ids of the whole."""

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from selfjudge import Chat, JudgmentEncoder, SafeTokenizer, load_templates
from selfjudge.text.frame import Frame, Head
from selfjudge.text.joint import Joint, last_joint, word_ends

Families = dict[str, Callable[[], PreTrainedTokenizerFast]]

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
FRAGMENTS = [
    "Response",
    " A:",
    "-----",
    "\n",
    " ",
    "  ",
    "\t",
    "'s",
    "e\u0301",
    "\u0301",
    "1234",
    "東",
    "🙂",
    "▁",
    "Ġ",
    "</s>",
    "",
]
DATA = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=6).map("".join)


def pieces(encoder: JudgmentEncoder) -> Sequence[str]:
    """What stands around the fields of a judgment, in ChatML's words where the tokenizer knows them."""
    wording = encoder.template.wording(encoder.principle)
    scaffold, _ = encoder.chat.question()
    return (scaffold[0] + wording.user[0], *wording.user[1:-1], wording.user[-1] + scaffold[-1])


def in_parts(frame: Frame, first: str, rest: Sequence[str]) -> list[int]:
    return frame.encode([(frame.heads([first])[0], rest)])[0]


def whole(frame: Frame, first: str, rest: Sequence[str]) -> list[int]:
    return frame.encode([(Head(first, None), rest)])[0]


@given(first=DATA, rest=st.tuples(DATA, DATA))
def test_parts_have_the_ids_of_the_whole(encoder: JudgmentEncoder, first: str, rest: tuple[str, str]) -> None:
    frame = Frame(encoder.chat.tokens, pieces(encoder))
    assert frame.heads(["x"])[0].ids is not None
    assert in_parts(frame, first, rest) == whole(frame, first, rest)


def llama_3() -> SafeTokenizer:
    """The splitting of Llama 3 and Qwen, over bytes and some merges."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA_3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [
        ("R", "e"),
        ("Ġ", "A"),
        ("-", "-"),
        ("--", "--"),
        ("Ċ", "Ċ"),
        ("'", "s"),
        ("A", ":"),
        (":", "Ċ"),
        ("1", "2"),
    ]
    vocabulary = {piece: number for number, piece in enumerate([*alphabet, *("".join(merge) for merge in merges)])}
    backend.model = models.BPE(vocab=vocabulary, merges=merges)
    return SafeTokenizer(PreTrainedTokenizerFast(tokenizer_object=backend))


@given(first=DATA, rest=st.tuples(DATA, DATA))
def test_parts_have_the_ids_of_the_whole_under_the_splitting_of_llama_3(first: str, rest: tuple[str, str]) -> None:
    user = load_templates()["ultrafeedback"].wording().user
    frame = Frame(llama_3(), user)
    assert frame.heads(["x"])[0].ids is not None
    assert in_parts(frame, first, rest) == whole(frame, first, rest)


def test_a_cut_stands_between_two_whole_words_of_the_text() -> None:
    ends = frozenset("es")
    assert last_joint("\n---\nResponse A:\n", ends) == Joint("\n---\nResponse", "Response", " A:\n")
    assert last_joint("\nOne is\nResponse A:\n", frozenset("e")) == Joint("\nOne is\nResponse", "Response", " A:\n")
    for text in ("\nResponse A", "Response A:", "\nA: ", "\nResponse  A:", ""):  # data may go on with its words
        assert last_joint(text, ends) is None
    assert last_joint("\nResponse A:", frozenset()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"pre_tokenizer": {"type": "FixedLength", "length": 5}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": r"(?<=a)b"}, "behavior": "Isolated", "invert": False}},
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]}},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Unheard"}]}},
    ],
)
def test_where_a_tokenizer_may_look_further_nothing_is_cut(families: Families, change: dict[str, object]) -> None:
    spec = json.loads(families["byte-level"]().backend_tokenizer.to_str())
    assert "e" in word_ends(spec)
    assert word_ends({**spec, **change}) == frozenset()


def test_a_piece_of_the_vocabulary_that_crosses_a_cut_forbids_it(families: Families) -> None:
    backend = families["unigram"]().backend_tokenizer
    spec = json.loads(backend.to_str())
    assert {"e", "t"} <= word_ends(spec)
    spec["model"]["vocab"].append(["se▁A", -1.0])
    assert "e" not in word_ends(spec)
    assert "t" in word_ends(spec)
    source = families["unigram"]()
    crossing = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)),
        unk_token="<unk>",
        eos_token="</s>",
        chat_template=source.chat_template,
    )
    encoder = JudgmentEncoder(Chat(SafeTokenizer(crossing)), load_templates()["ultrafeedback"], max_tokens=4000)
    assert encoder.context("x").head.ids is None
    assert len(encoder.encode("x", "y", "z").first_at_a) > 0
