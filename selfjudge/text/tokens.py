"""Encoding in which only trusted text can contain control tokens.

A control token is an added token of the tokenizer, special or not, other than one of pure white space (GPT-NeoX's runs
of spaces mark no role). We load a second copy of the tokenizer's backend in which every control token has a name that
nobody can guess, drawn afresh for each object; `trusted` translates the tokens' real names in text of ours to these.
Text that was never translated cannot spell a control token, whatever it says, and everything else, down to how white
space beside a control token is treated, is the tokenizer's own doing: clean text gets exactly its ids.

The tokenizer needs a `tokenizers` backend.
"""

import json
import re
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tokenizers import Encoding, Tokenizer

from selfjudge.errors import TokenizerError
from selfjudge.text.joint import word_ends

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class SafeTokenizer:
    """A tokenizer for strings of trusted text and data. Costs a reload of the vocabulary: keep one per tokenizer."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        """Raises TokenizerError where the tokenizer has no `tokenizers` backend."""
        self.source = tokenizer
        self.name: str = tokenizer.name_or_path or type(tokenizer).__name__
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise TokenizerError(
                f"tokenizer {self.name!r} ({type(tokenizer).__name__}) has no backend of the tokenizers library, "
                "without which user text cannot be kept from spelling control tokens; load it with its tokenizer.json"
            )
        spec = json.loads(backend.to_str())
        controls = [token for token in spec["added_tokens"] if token["content"].replace("▁", " ").strip()]
        self.control_ids = frozenset(int(token["id"]) for token in controls)
        """Ids that data never encodes to (an unknown character may still become the unknown token)."""
        names = _secret_names([token["content"] for token in controls])
        self._names = names
        longest_first = sorted(names, key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.word_ends = word_ends(spec)
        """Letters behind which trusted text can be cut in front of a space: joint.py."""
        self._backend = Tokenizer.from_str(json.dumps(_renamed(spec, names)))

    def trusted(self, text: str) -> str:
        """Text of ours, its control tokens translated to their secret names. Never give it data."""
        return self._controls.sub(lambda match: self._names[match[0]], text)

    def controls(self, text: str) -> list[tuple[int, int]]:
        """Where control tokens stand in trusted, untranslated text: start and end of each, in characters."""
        return [match.span() for match in self._controls.finditer(text)]

    def encode(self, text: str) -> list[int]:
        """Token ids of data, trusted text, or both joined; nothing is added at either end."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """`encode` of many texts at once, on all cores where the tokenizers library may use them.

        Other threads go on meanwhile; the library's calls for a single text would hold them up.
        """
        return [encoding.ids for encoding in self._backend.encode_batch_fast(texts, add_special_tokens=False)]

    def spans(self, text: str) -> "Spans":
        """For each token of `encode(text)`, the characters (start, end) of the text that it stands for."""
        [encoding] = self._backend.encode_batch([text], add_special_tokens=False)
        return Spans(encoding)


class Spans:
    """Of each token, where its characters begin and end. No list is made unless all are asked for."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def __len__(self) -> int:
        return len(self._encoding)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._encoding.offsets)

    def __getitem__(self, index: int) -> tuple[int, int]:
        span = self._encoding.token_to_chars(index if index >= 0 else len(self) + index)
        if span is None:
            raise IndexError(index)
        return span


def _secret_names(contents: list[str]) -> dict[str, str]:
    """A name for each control token, of small letters only: no normaliser changes them, and none is another's start."""
    letters = str.maketrans("0123456789", "ghijklmnop")
    nonce = secrets.token_hex(16)
    return {content: f"{nonce}{index:08x}".translate(letters) for index, content in enumerate(contents)}


def _renamed(spec: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A tokenizer's serialisation with its control tokens renamed, wherever it names them."""
    for token in spec["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    model = spec["model"]
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(piece, piece): index for piece, index in vocabulary.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if not _touches(merge, names)]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return {**spec, "truncation": None, "padding": None, "post_processor": None, "decoder": None}


def _touches(merge: str | list[str], names: dict[str, str]) -> bool:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names
