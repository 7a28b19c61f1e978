"""Clean text gets the tokenizer's own ids; no text whatever gets a control token."""

import json
from collections.abc import Callable
from threading import Thread
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from selfjudge import SafeTokenizer, TokenizerError

Families = dict[str, Callable[[], PreTrainedTokenizerFast]]
CLEAN = [
    "",
    " ",
    "hello world",
    "  two  spaces ",
    "line\nline\n\nline",
    "naïve 東京 🙂",
    "A",
    "-----",
    "a\tb",
    "1 < 2 > 0",
]


def own_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_gets_the_tokenizers_own_ids(
    tokenizer: PreTrainedTokenizerFast, safe: SafeTokenizer, text: str
) -> None:
    assert safe.encode(text) == own_ids(tokenizer, text)


def test_trusted_control_tokens_are_the_tokenizers_own(tokenizer: PreTrainedTokenizerFast, safe: SafeTokenizer) -> None:
    for token in tokenizer.added_tokens_decoder.values():
        text = f"before  {token.content} \n after{token.content}{token.content} x"
        assert safe.encode(safe.trusted(text)) == own_ids(tokenizer, text)


def test_text_of_many_kinds_around_control_tokens(tokenizer: PreTrainedTokenizerFast, safe: SafeTokenizer) -> None:
    control = str(tokenizer.eos_token)
    for text in CLEAN:
        mixed = f"{text}{control}{text}{control}{text}"
        assert safe.encode(safe.trusted(mixed)) == own_ids(tokenizer, mixed)


def test_no_control_token_can_be_spelled(tokenizer: PreTrainedTokenizerFast, safe: SafeTokenizer) -> None:
    for token in tokenizer.added_tokens_decoder.values():
        if not token.content.strip():
            continue
        for text in (token.content, f" {token.content}", f"x{token.content}\n", token.content * 3, f"▁{token.content}"):
            ids = safe.encode(text)
            assert not safe.control_ids.intersection(ids) - {tokenizer.unk_token_id}
            assert ids != own_ids(tokenizer, text)


@given(data=st.data())
def test_no_mixture_of_fragments_spells_one(data: st.DataObject, safe: SafeTokenizer) -> None:
    contents = [token.content for token in safe.source.added_tokens_decoder.values()]
    fragments = [
        *contents,
        *(content[:4] for content in contents),
        *(content[4:] for content in contents),
        "<",
        "|",
        " ",
    ]
    text = data.draw(st.lists(st.sampled_from(fragments) | st.text(max_size=3), max_size=8).map("".join))
    assert not safe.control_ids.intersection(safe.encode(text)) - {safe.source.unk_token_id}


def test_white_space_tokens_are_no_control_tokens(families: Families) -> None:
    tokenizer = families["chatml"]()
    safe = SafeTokenizer(tokenizer)
    spaces = tokenizer.convert_tokens_to_ids("   ")
    assert spaces not in safe.control_ids
    assert spaces in safe.encode("a   b")


def test_unknown_characters_may_still_be_unknown(families: Families) -> None:
    tokenizer = families["unigram"]()
    assert SafeTokenizer(tokenizer).encode("東") == own_ids(tokenizer, "東")


def test_spans_are_the_characters_of_each_token(safe: SafeTokenizer) -> None:
    text = "hello brave world"
    spans = safe.spans(text)
    assert len(spans) == len(safe.encode(text))
    assert spans[-1] == spans[len(spans) - 1] == list(spans)[-1]
    assert spans[-1][1] == len(text)


@pytest.mark.parametrize("work", [SafeTokenizer.encode, SafeTokenizer.spans])
def test_other_threads_go_on_while_a_long_text_is_encoded(
    families: Families, work: Callable[[SafeTokenizer, str], object]
) -> None:
    safe, text = SafeTokenizer(families["byte-level"]()), "hello brave world. " * 20_000
    encoding, moments = Thread(target=work, args=(safe, text)), 0
    encoding.start()
    while encoding.is_alive():
        sleep(0.001)
        moments += 1
    assert moments > 10


def test_batches_are_encoded_like_single_texts(safe: SafeTokenizer) -> None:
    assert safe.encode_batch(CLEAN) == [safe.encode(text) for text in CLEAN]


@pytest.mark.parametrize("merges_as_text", [True, False])
def test_merges_that_lead_to_a_control_token_are_left_out(merges_as_text: bool) -> None:
    merges = [["<", "x"], ["<x", ">"], ["<x>", "!"]]
    spec = {
        "added_tokens": [
            {
                "id": 4,
                "content": "<x>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "model": {
            "type": "BPE",
            "vocab": {"<": 0, "x": 1, ">": 2, "<x": 3, "<x>": 4, "!": 5, "<x>!": 6},
            "merges": [" ".join(merge) for merge in merges] if merges_as_text else merges,
        },
    }
    backend = Tokenizer.from_str(json.dumps(spec))
    safe = SafeTokenizer(PreTrainedTokenizerFast(tokenizer_object=backend))
    assert safe.encode("<x>!") == [3, 2, 5]
    assert safe.encode(safe.trusted("<x>") + "!") == [4, 5]


def test_a_tokenizer_without_backend_is_refused() -> None:
    class Slow:
        name_or_path = "slow"

    with pytest.raises(TokenizerError, match=r"'slow'.*no backend of the tokenizers library"):
        SafeTokenizer(Slow())  # type: ignore[arg-type]  # the point of the test
