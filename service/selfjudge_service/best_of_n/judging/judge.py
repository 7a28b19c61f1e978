"""Compares responses with the served weights: templates and principles on one side, choice reads on the other.

A request names what it wants in `JudgingOptions`, and gets a `Panel` back.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from transformers import PreTrainedTokenizerBase
from vllm.lora.request import LoRARequest

from selfjudge import (
    Chat,
    Choice,
    Comparison,
    Conversation,
    Cut,
    JudgmentEncoder,
    PrincipleVerdict,
    ReadingError,
    SafeTokenizer,
    SelfJudgeError,
    TemplateError,
    TokenizerError,
    Verdict,
    load_templates,
)
from selfjudge_service.best_of_n.judging.contexts import Contexts, aside, characters
from selfjudge_service.best_of_n.judging.in_place import InPlaceJudge
from selfjudge_service.best_of_n.judging.label_reads import LABEL_TOKENS, ChoicePrompt, EngineReader, Rationale
from selfjudge_service.observability import metrics
from selfjudge_service.protocol.errors import ApiError, InvalidFieldError
from selfjudge_service.protocol.requests import JudgingOptions
from selfjudge_service.settings import Settings

_RATIONALE_OPENING_TOKENS = 64
# Encoders for callers' options of the chat template, which may be any; those for the server's own are all kept.
_ENCODERS_OF_CALLERS = 16
_OPTIONS: Final = "chat_template_kwargs"

_LOG = logging.getLogger(__name__)


class Panel(NamedTuple):
    """What one request is judged by."""

    template: str
    principles: tuple[str, ...]
    encoders: tuple[JudgmentEncoder, ...]
    """One for each principle, or one where there is none."""
    lora: LoRARequest | None
    """The adapter that judges; None for the base."""
    contexts: Contexts
    cache_salt: str | None = None
    """vLLM's: cached prefixes are shared only with requests of the same salt."""
    priority: int = 0
    """Of the reads; the lowest goes first."""

    def check(self, conversation: Conversation) -> None:
        """Whether a conversation can be shown to this judge; encodes nothing. Raises ConversationError."""
        self.encoders[0].check(conversation)


class Judged(NamedTuple):
    """A verdict, what was cut of the texts to fit the context, and the cost in prompt tokens."""

    verdict: Verdict
    cut: Cut | None
    prompt_tokens: int
    cached_tokens: int

    @property
    def label_mass(self) -> float:
        """P(A) + P(B), averaged over all readings."""
        return self.verdict.label_mass

    @property
    def reads(self) -> int:
        """One for each order under each principle."""
        return 2 * len(self.verdict.principles)


class Judge:
    """Judges pairs of responses by both orders and any number of principles.

    Args:
        tokenizer: of the served model.
        reader: reads choice tokens.
        settings: default template and the folder of an operator's own.
        max_model_len: the model's context, in tokens.
        chat_template: what the server renders chats with, if not the tokenizer's own.
        chat_template_kwargs: the server's options for it.

    Raises:
        SelfJudgeError: if the default template can't be used with this tokenizer, saying why.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        reader: EngineReader,
        settings: Settings,
        max_model_len: int,
        chat_template: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.templates = load_templates(settings.templates_dir)
        self._reader = reader
        self._settings = settings
        self._chat = Chat(SafeTokenizer(tokenizer), chat_template, chat_template_kwargs)
        self._max_model_len = max_model_len
        self._rationale_tokens = min(settings.rationale_max_tokens, max_model_len // 4)
        # The beginning of a rationale is up to a few dozen tokens long and comes on top of the prompt.
        self._rationale_room = self._rationale_tokens + _RATIONALE_OPENING_TOKENS
        self._encoder = lru_cache(maxsize=None)(self._make_encoder)
        self._encoder_of_caller = lru_cache(_ENCODERS_OF_CALLERS)(self._make_encoder)
        self._check_default_template()
        self.in_place = InPlaceJudge(self._chat, reader, settings, max_model_len)
        if tag := self._chat.left_open():
            _LOG.warning(
                "the chat template leaves %s open where an answer begins: the judge's letter is read inside its "
                "reasoning, and means little. Set --chat-template to one that begins answers behind the reasoning, or "
                "--default-chat-template-kwargs to what has it do so (neither enable_thinking nor thinking is that).",
                tag,
            )

    def _check_default_template(self) -> None:
        template = self.templates.get(self._settings.template)
        if template is None:
            known = ", ".join(sorted(self.templates))
            raise TemplateError(f"no judgment template is called {self._settings.template!r}; known are {known}")
        for principle in template.principles or (None,):
            self._encoder(template.name, principle, LABEL_TOKENS)

    def panel(
        self,
        options: JudgingOptions,
        lora: LoRARequest | None,
        *,
        rationale: bool = False,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> Panel:
        """What a request wants to be judged by.

        Args:
            options: template and principles; unset ones get the server's defaults, and a template that has principles
                is used under all of them.
            lora: the adapter of the policy; not used where the request wants the reference to judge.
            rationale: whether the template must have rationales.
            chat_template_kwargs: the request's options for the chat template, on top of the server's.

        Raises:
            ApiError: naming the template or principle that is wrong and what would be accepted.
        """
        name = options.template or self._default_template(options, rationale=rationale)
        template = self.templates.get(name)
        if template is None:
            raise InvalidFieldError("template", f"must be one of {', '.join(sorted(self.templates))}", name)
        if rationale and template.rationale is None:
            with_rationale = sorted(name for name, one in self.templates.items() if one.rationale)
            raise InvalidFieldError("rationale", f"needs a template that has them ({', '.join(with_rationale)})", name)
        known = tuple(template.principles or ())
        principles = tuple(dict.fromkeys(options.principles or known))
        for principle in principles:
            if principle not in known:
                accepted = ", ".join(known) or "none: this template has no principles"
                raise InvalidFieldError("principles", f"template {name!r} knows {accepted}", principle)
        try:
            encoders = self._encoders(name, principles or (None,), chat_template_kwargs)
            for principle in principles if rationale else ():
                self._encoder(name, principle, self._rationale_room)
        except SelfJudgeError as error:
            raise ApiError(f"template: {error}", "template") from error
        return Panel(name, principles, encoders, lora if options.judge == "policy" else None, Contexts())

    def _encoders(
        self, name: str, principles: Sequence[str | None], chat_template_kwargs: Mapping[str, Any] | None
    ) -> tuple[JudgmentEncoder, ...]:
        minded = self._chat.minded(chat_template_kwargs or {})
        if not minded:
            return tuple(self._encoder(name, principle, LABEL_TOKENS) for principle in principles)
        key = json.dumps(minded, sort_keys=True)
        try:
            return tuple(self._encoder_of_caller(name, principle, LABEL_TOKENS, key) for principle in principles)
        except TokenizerError as error:
            raise ApiError(f"{_OPTIONS}: {error}", _OPTIONS) from error

    def _default_template(self, options: JudgingOptions, *, rationale: bool) -> str:
        if rationale:
            return self._settings.rationale_template
        return self._settings.principle_template if options.principles else self._settings.template

    def _make_encoder(self, name: str, principle: str | None, room: int, options: str = "{}") -> JudgmentEncoder:
        """An encoder whose prompts leave `room` tokens of the context for what the judge is to generate.

        `options` are a caller's for the chat template, in JSON.
        """
        max_tokens = self._max_model_len - room
        chat = self._chat.with_options(json.loads(options)) if options != "{}" else self._chat
        return JudgmentEncoder(chat, self.templates[name], principle, max_tokens=max_tokens)

    async def warm_up(self) -> None:
        """Judges once: the first read of log-probabilities compiles for seconds where a compiler is used."""
        await self.compare(self.panel(JudgingOptions(), None), Comparison("warm-up", "a", "b"))

    async def compare(self, panel: Panel, comparison: Comparison, *, counted: bool = True) -> Judged:
        """One comparison by every principle of the panel in both orders, all reads in one batch.

        Args:
            panel: what is judged by.
            comparison: what is judged.
            counted: whether the metrics of the judge's health count it.

        Raises:
            ConversationError: if the conversation can't be shown to a judge.
            ReadingError: if the model answers with NaN.
        """
        started = time.monotonic()
        conversation, first, second = comparison
        contexts = await panel.contexts.of(conversation, panel.encoders)
        prompts = await aside(
            lambda: [
                encoder.pair(context, first, second) for encoder, context in zip(panel.encoders, contexts, strict=True)
            ],
            len(contexts[0].text) + len(first) + len(second),
        )
        asked = [
            ChoicePrompt(ids, *encoder.choice_tokens)
            for both, encoder in zip(prompts, panel.encoders, strict=True)
            for ids in (both.first_at_a, both.first_at_b)
        ]
        with metrics.UNREADABLE.count_exceptions(ReadingError):
            reads = await self._reader.read(asked, panel.lora, cache_salt=panel.cache_salt, priority=panel.priority)
        principles = panel.principles or (None,)
        verdict = Verdict.of(
            PrincipleVerdict(principle, at_a.reading, at_b.reading)
            for principle, at_a, at_b in zip(principles, reads[::2], reads[1::2], strict=True)
        )
        judged = Judged(
            verdict,
            next((prompt.cut for prompt in prompts if prompt.cut), None),
            sum(read.prompt_tokens for read in reads),
            sum(read.cached_tokens for read in reads),
        )
        if counted:
            _observe(judged, comparison, time.monotonic() - started)
        return judged

    async def rationale(self, panel: Panel, comparison: Comparison, verdict: PrincipleVerdict) -> Rationale:
        """What the judge says for its choice under one principle, generated behind the choice token (table 16)."""
        encoder = self._encoder(panel.template, verdict.principle, self._rationale_room)
        choice: Choice = "B" if verdict.winner == "B" else "A"
        prompt = await aside(lambda: encoder.rationale_prompt(*comparison, choice), characters(*comparison))
        rationale = self.templates[panel.template].rationale
        stop = rationale.stop if rationale else ()
        return await self._reader.rationale(prompt, panel.lora, self._rationale_tokens, stop)


def _observe(judged: Judged, comparison: Comparison, seconds: float) -> None:
    metrics.MATCH_SECONDS.observe(seconds)
    metrics.observe_judge_tokens(judged.prompt_tokens, judged.cached_tokens)
    for judgment in judged.verdict.principles:
        metrics.observe_judgment(judgment, comparison)
