"""What the tokenizer keeps apart and what it merges."""

from itertools import islice
from pathlib import Path
from string import ascii_uppercase, digits

from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from experiments.letters.model import TEMPLATE
from experiments.letters.tasks import Split, draw_problems
from experiments.letters.tokenizer import EOS, PAD, fixed_pieces, train_tokenizer
from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, Chat, JudgmentEncoder, SafeTokenizer


@given(text=st.text())
def test_any_text_survives(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    ids = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) == text


@given(payload=st.text(ascii_uppercase + digits, min_size=1))
def test_payloads_have_one_token_per_item(tokenizer: PreTrainedTokenizerBase, payload: str) -> None:
    assert tokenizer.tokenize(payload) == list(payload)


def test_fixed_pieces_of_the_template_are_one_token_each(tokenizer: PreTrainedTokenizerBase) -> None:
    for piece in fixed_pieces([TEMPLATE]):
        assert len(tokenizer.tokenize(piece)) == 1, piece


def test_a_judgment_of_the_tasks_is_short(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = JudgmentEncoder(Chat(SafeTokenizer(tokenizer)), TEMPLATE, max_tokens=256)
    lengths = [
        len(encoder.encode(problem.prompt, problem.answer, problem.answer).first_at_a)
        for problem in islice(draw_problems(Split.HELD_OUT, 0), 300)
    ]
    assert max(lengths) < 45


def test_control_tokens_and_chat_template_are_those_of_selfjudge(tokenizer: PreTrainedTokenizerBase) -> None:
    assert set(CONTROL_TOKENS) <= set(tokenizer.all_special_tokens)
    assert (tokenizer.eos_token, tokenizer.pad_token) == (EOS, PAD)
    assert tokenizer.chat_template == DIALOGUE_TEMPLATE


def test_a_saved_tokenizer_loads_as_the_same(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Reverse AB1, ünïcode"}]
    rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert loaded.apply_chat_template(messages, add_generation_prompt=True, return_dict=False) == rendered


def test_training_is_deterministic(tokenizer: PreTrainedTokenizerBase) -> None:
    prompts = (f"\n{problem.prompt}\n" for problem in islice(draw_problems(Split.TRAIN, 0), 1000))
    again = train_tokenizer(prompts, [TEMPLATE], 1024)
    assert again.get_vocab() == tokenizer.get_vocab()
