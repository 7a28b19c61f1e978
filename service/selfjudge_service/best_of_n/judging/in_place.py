"""Scores an answer where it stands: the sampled tokens, a question behind them, and one read.

The engine's cache still holds prompt and answer, so that it computes the question and little more, as long as the same
weights read them under the same `cache_salt`.

The rule of length: where prompt, answer and question together are longer than the context, the answer keeps its
beginning.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from vllm.lora.request import LoRARequest

from selfjudge import (
    Chat,
    InPlaceEncoder,
    Kept,
    Message,
    Reading,
    ReadingError,
    SelfJudgeError,
    TemplateError,
    TokenizerError,
    load_in_place_templates,
    message_text,
)
from selfjudge_service.best_of_n.judging.label_reads import LABEL_TOKENS, ChoicePrompt, EngineReader
from selfjudge_service.observability import metrics
from selfjudge_service.protocol.errors import ApiError, InvalidFieldError
from selfjudge_service.protocol.requests import JudgingOptions
from selfjudge_service.settings import Settings

_ENCODERS: Final = 16
"""Of templates and callers' options of the chat template, which may be any."""
_OPTIONS: Final = "chat_template_kwargs"


class InPlacePanel(NamedTuple):
    """What the candidates of one request are scored by."""

    template: str
    encoder: InPlaceEncoder
    lora: LoRARequest | None
    """The adapter that judges; None for the base."""
    cache_salt: str | None = None
    """vLLM's: cached prefixes are shared only with requests of the same salt."""
    priority: int = 0
    """Of the reads; the lowest goes first."""

    @property
    def principles(self) -> tuple[str, ...]:
        """Templates in place have none."""
        return ()

    def check(self, conversation: Sequence[Message]) -> None:
        """Whether answers to a conversation can be read. Raises ConversationError where it holds more than text."""
        for message in conversation:
            message_text(message)


class Scored(NamedTuple):
    """What the judge said of one answer, what was cut of it to fit the context, and the cost in prompt tokens."""

    reading: Reading
    cut: Kept | None
    prompt_tokens: int
    cached_tokens: int

    @property
    def score(self) -> float:
        """P(good), the two labels renormalised."""
        return self.reading.preference

    @property
    def label_mass(self) -> float:
        """P(good) + P(bad)."""
        return self.reading.label_mass

    @property
    def reads(self) -> int:
        """One."""
        return 1


class InPlaceJudge:
    """Scores answers by the served weights.

    Args:
        chat: how the server renders conversations.
        reader: reads labels.
        settings: default template and the folder of an operator's own.
        max_model_len: the model's context, in tokens.

    Raises:
        TemplateError: if there is no default template of that name.
    """

    def __init__(self, chat: Chat, reader: EngineReader, settings: Settings, max_model_len: int) -> None:
        every = load_in_place_templates(settings.templates_dir)
        self.templates = {name: template for name, template in every.items() if not template.compares}
        self._chat = chat
        self._reader = reader
        self._default = settings.in_place_template
        self._max_tokens = max_model_len - LABEL_TOKENS
        self._encoder = lru_cache(_ENCODERS)(self._make_encoder)
        if self._default not in self.templates:
            raise TemplateError(
                f"no judgment template that scores in place is called {self._default!r}; known are {self._known}"
            )

    @property
    def _known(self) -> str:
        return ", ".join(sorted(self.templates))

    def panel(
        self,
        options: JudgingOptions,
        lora: LoRARequest | None,
        *,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> InPlacePanel:
        """What a request wants its candidates to be scored by.

        Args:
            options: template and judge; an unset template is the server's default.
            lora: the adapter of the policy; not used where the request wants the reference to judge.
            chat_template_kwargs: the request's options for the chat template, on top of the server's.

        Raises:
            ApiError: naming what is wrong and what would be accepted.
        """
        if options.principles:
            raise InvalidFieldError("principles", "must be absent: the method 'score' has none", options.principles)
        name = options.template or self._default
        if name not in self.templates:
            raise InvalidFieldError("template", f"must be one of {self._known} with the method 'score'", name)
        minded = self._chat.minded(chat_template_kwargs or {})
        try:
            encoder = self._encoder(name, json.dumps(minded, sort_keys=True))
        except TokenizerError as error:
            field = _OPTIONS if minded else "template"
            raise ApiError(f"{field}: {error}", field) from error
        except SelfJudgeError as error:
            raise ApiError(f"template: {error}", "template") from error
        return InPlacePanel(name, encoder, lora if options.judge == "policy" else None)

    def _make_encoder(self, name: str, options: str) -> InPlaceEncoder:
        """`options` are a caller's for the chat template, in JSON."""
        chat = self._chat.with_options(json.loads(options)) if options != "{}" else self._chat
        return InPlaceEncoder(chat, self.templates[name])

    def require_room(self, panel: InPlacePanel, prompt_tokens: int) -> None:
        """Whether a prompt leaves room for the question behind its answer, however little of that is shown.

        Raises:
            ApiError: if it doesn't.
        """
        longest = self._max_tokens - len(panel.encoder.tail())
        if prompt_tokens > longest:
            raise ApiError(
                f"messages: the prompt has {prompt_tokens} tokens, and at most {longest} leave room for the question "
                "that the method 'score' asks behind the answer; shorten it, or choose the method 'tournament'",
                "messages",
            )

    async def warm_up(self) -> None:
        """Reads one score by the default template.

        Raises:
            SelfJudgeError: if this tokenizer or chat template does not fit it, saying why.
        """
        encoder = self._encoder(self._default, "{}")
        prompt, response, _ = encoder.answered("warm-up", "a")
        await self.score(InPlacePanel(self._default, encoder, None), prompt, response)

    async def score(self, panel: InPlacePanel, prompt: Sequence[int], response: Sequence[int]) -> Scored:
        """One read behind a sampled answer.

        Args:
            panel: what is judged by.
            prompt: the tokens that the answer was sampled from.
            response: the tokens that were sampled.

        Raises:
            ReadingError: if the model answers with NaN.
        """
        encoder, tail = panel.encoder, panel.encoder.tail()
        continued = encoder.continued(response)
        total = len(continued) - len(tail)
        kept = min(total, self._max_tokens - len(prompt) - len(tail))
        asked = ChoicePrompt([*prompt, *continued[:kept], *tail], encoder.labels.good, encoder.labels.bad)
        with metrics.UNREADABLE.count_exceptions(ReadingError):
            [read] = await self._reader.read([asked], panel.lora, cache_salt=panel.cache_salt, priority=panel.priority)
        scored = Scored(
            read.reading, Kept(kept, total) if kept < total else None, read.prompt_tokens, read.cached_tokens
        )
        metrics.observe_score(scored.score, scored.label_mass)
        metrics.observe_judge_tokens(scored.prompt_tokens, scored.cached_tokens)
        return scored
