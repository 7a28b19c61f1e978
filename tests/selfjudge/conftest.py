"""Small real tokenizers of the families that models use, trained on the spot, each with a chat template of its kind."""

import json
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, Chat, JudgmentEncoder, SafeTokenizer, load_templates

settings.register_profile("selfjudge", deadline=None, max_examples=40)  # a busy machine is slow, not wrong
settings.load_profile("selfjudge")

CORPUS = [
    "Which is the better response, Response A or Response B? Sure! The option which is better would be Response A",
    "Please choose either A or B.\n-----\n\nInstruction:\nUser: hello\n\nAssistant: world, how are you today?\n",
    "Decision: Response B\n\nEvaluation of Response A: honest and truthful, 12 34 <|user|> [INST] </s>",
    "Apple Apple Apple Apple Apple Apple Apple Apple Apple Apple",
    *(chr(code) * 2 for code in range(32, 127)),
]

CHATML = (
    "{%- for m in messages -%}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
INST = (  # Llama 2's: roles are marked by ordinary text
    "{%- if messages[0].role == 'system' -%}"
    "{%- set head = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' -%}{%- set messages = messages[1:] -%}"
    "{%- else -%}{%- set head = '' -%}{%- endif -%}"
    "{%- for m in messages -%}{%- if m.role == 'user' -%}"
    "{{- bos_token + '[INST] ' + (head if loop.first else '') + m.content + ' [/INST]' -}}"
    "{%- else -%}{{- ' ' + m.content + ' ' + eos_token -}}{%- endif -%}{%- endfor -%}"
)
NO_SYSTEM = (  # Gemma's: no system role, contents trimmed
    "{{- bos_token -}}{%- for m in messages -%}"
    "{%- if m.role == 'system' -%}{{- raise_exception('System role not supported') -}}{%- endif -%}"
    "{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim -}}"
    "{{- '<end_of_turn>\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}"
)


def _wrapped(backend: Tokenizer, **options: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=backend, **options)


@cache
def byte_level_bpe() -> PreTrainedTokenizerFast:
    """The kind we train ourselves: table 10's dialogue template, no beginning-of-sequence token."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["</s>", *CONTROL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    return _wrapped(backend, name_or_path="byte-level", eos_token="</s>", chat_template=DIALOGUE_TEMPLATE)


@cache
def chatml_bpe() -> PreTrainedTokenizerFast:
    """Qwen's kind: ChatML, added tokens beyond the vocabulary, some of them not special, some pure white space."""
    backend = Tokenizer.from_str(byte_level_bpe().backend_tokenizer.to_str())
    backend.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    backend.add_tokens(["<tool_call>", AddedToken("<lstrip>", lstrip=True), AddedToken("<rstrip>", rstrip=True), "   "])
    return _wrapped(backend, name_or_path="chatml", eos_token="<|im_end|>", chat_template=CHATML)


def _metaspace_bpe(prefix: str) -> Tokenizer:
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    metaspace = pre_tokenizers.Metaspace(prepend_scheme=prefix)
    trained.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split("\n", "isolated"), metaspace])
    trained.decoder = decoders.Metaspace(prepend_scheme=prefix)
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=["<unk>", "<s>", "</s>", *byte_tokens], show_progress=False
    )
    trained.train_from_iterator(CORPUS, trainer)
    trained.pre_tokenizer = metaspace  # the line break joined no merge, as in SentencePiece's models
    spec = json.loads(trained.to_str())
    spec["added_tokens"] = [token for token in spec["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(spec))


@cache
def metaspace_bpe() -> PreTrainedTokenizerFast:
    """Llama 2's kind: control tokens inside the vocabulary, byte fallback, a beginning of sequence, textual roles."""
    return _wrapped(
        _metaspace_bpe("first"),
        name_or_path="metaspace",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        chat_template=INST,
    )


@cache
def legacy_bpe() -> PreTrainedTokenizerFast:
    """Gemma's kind with the older way of SentencePiece: a normaliser puts the prefix, also behind control tokens."""
    backend = _metaspace_bpe("never")
    backend.pre_tokenizer = None
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.add_special_tokens(["<start_of_turn>", "<end_of_turn>"])
    return _wrapped(
        backend,
        name_or_path="legacy",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        chat_template=NO_SYSTEM,
    )


@cache
def unigram() -> PreTrainedTokenizerFast:
    """T5's kind: a unigram model, whose vocabulary would match control tokens in plain text."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Metaspace(prepend_scheme="first")]
    )
    backend.decoder = decoders.Metaspace()
    special = ["<unk>", "</s>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=300,
        special_tokens=special,
        unk_token="<unk>",
        show_progress=False,
        initial_alphabet=[*map(chr, range(33, 127)), "\n", "▁"],
    )
    backend.train_from_iterator(CORPUS, trainer)
    return _wrapped(backend, name_or_path="unigram", eos_token="</s>", unk_token="<unk>", chat_template=CHATML)


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "byte-level": byte_level_bpe,
    "chatml": chatml_bpe,
    "metaspace": metaspace_bpe,
    "legacy": legacy_bpe,
    "unigram": unigram,
}


@pytest.fixture(scope="session", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """Each family in turn."""
    return TOKENIZERS[request.param]()


@pytest.fixture(scope="session")
def safe(tokenizer: PreTrainedTokenizerFast) -> SafeTokenizer:
    return SafeTokenizer(tokenizer)


@pytest.fixture(scope="session")
def chat(safe: SafeTokenizer) -> Chat:
    return Chat(safe)


@pytest.fixture(scope="session", params=load_templates())
def encoder(request: pytest.FixtureRequest, chat: Chat) -> JudgmentEncoder:
    """Each of the paper's templates with each tokenizer, under its first principle where it has any."""
    template = load_templates()[request.param]
    return JudgmentEncoder(chat, template, next(iter(template.principles or ()), None), max_tokens=4000)


@pytest.fixture(scope="session")
def families() -> dict[str, Callable[[], PreTrainedTokenizerFast]]:
    """The makers of the tokenizers, for tests about one family."""
    return TOKENIZERS


@pytest.fixture(scope="session")
def byte_level() -> JudgmentEncoder:
    """Table 13 for the kind of tokenizer that we train."""
    return JudgmentEncoder(Chat(SafeTokenizer(byte_level_bpe())), load_templates()["ultrafeedback"], max_tokens=4000)
