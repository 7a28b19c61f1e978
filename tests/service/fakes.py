"""What the service is tested over instead of an engine: full implementations of its interfaces, with known qualities.

Answers here are "word 7": the number is the hidden quality that the fake judge goes by.
"""

import asyncio
import re
from argparse import Namespace
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from math import exp, log, nan
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI
from selfjudge_service.admission.admission import Admission
from selfjudge_service.admission.queue import Limits
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.best_of_n.judging.label_reads import ChoicePrompt, EngineReader, Rationale, Read
from selfjudge_service.best_of_n.sampler import Sampler
from selfjudge_service.plugin import SelfJudgePlugin
from selfjudge_service.protocol.error_handlers import answer_errors
from selfjudge_service.settings import Settings
from selfjudge_service.state import SelfJudgeState
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from typing_extensions import override
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.generate.base.protocol import ToolCall
from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatCompletionResponseChoice,
    ChatMessage,
)
from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat
from vllm.entrypoints.openai.models.protocol import BaseModelPath
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.engine.protocol import CompletionTokenUsageInfo, ErrorResponse, UsageInfo
from vllm.entrypoints.serve.exception_handling.register import init_exception_handler
from vllm.entrypoints.serve.utils.api_utils import get_max_tokens
from vllm.entrypoints.serve.utils.request_logger import RequestLogger
from vllm.lora.request import LoRARequest

from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, Comparison, Reading, load_in_place_templates

MODEL = "tiny"
ADAPTER = LoRARequest("tuned", 1, "adapters/tuned")
CONTEXT_TOKENS = 4096
PROMPT_TOKENS = 11
QUESTION = [{"role": "user", "content": "Say a number."}]

_IN_PLACE = load_in_place_templates()["in-place-score"].question

_RESPONSES = re.compile(
    r"Response A:\n-----\n(.*?)\n-----\n\nResponse B:\n-----\n(.*?)\n-----\n\nPlease choose", re.DOTALL
)


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE with the dialogue template, trained on the spot."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["</s>", *CONTROL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(
        ["Which is the better response, Response A or Response B? Sure! Please choose.\nyes\nno"], trainer
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", name_or_path="bytes", chat_template=DIALOGUE_TEMPLATE
    )


def decode(token_ids: Sequence[int]) -> str:
    """The text of a prompt."""
    return str(tokenizer().decode(list(token_ids)))


def quality(text: str) -> float:
    """The last number in a text; 0 where there is none."""
    numbers = re.findall(r"-?\d+", text)
    return float(numbers[-1]) if numbers else 0.0


@dataclass
class QualityReader(EngineReader):
    """Has no engine: reads the responses back from the prompt, and goes by their `quality`."""

    probability: float = 0.9
    """P(the better one's letter), of what both letters have."""
    favours_a: bool = False
    """Whether it says A whatever it reads, as a judge of pure position bias does."""
    label_mass: float = 0.8
    prompts: list[ChoicePrompt] = field(default_factory=list)
    adapters: list[LoRARequest | None] = field(default_factory=list)
    ways: set[tuple[str | None, int]] = field(default_factory=set)
    """Cache salts and priorities of all reads."""
    continued: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    """Awaited before each batch of reads."""
    poison: str | None = None
    """Where one of the responses holds this, the model answers with NaN."""

    @override
    async def read(
        self, prompts: Sequence[ChoicePrompt], lora: LoRARequest | None, *, cache_salt: str | None, priority: int
    ) -> list[Read]:
        self.adapters.append(lora)
        self.prompts += prompts
        self.ways.add((cache_salt, priority))
        if self.before:
            await self.before()
        return [self._read(prompt) for prompt in prompts]

    @override
    async def rationale(
        self, token_ids: Sequence[int], lora: LoRARequest | None, max_tokens: int, stop: Sequence[str]
    ) -> Rationale:
        self.adapters.append(lora)
        self.continued.append(decode(token_ids))
        return Rationale("it is better.", 5)

    def _read(self, prompt: ChoicePrompt) -> Read:
        answered, question, _ = decode(prompt.token_ids).partition(_IN_PLACE)
        if question:
            return self._score(prompt, answered)
        found = _RESPONSES.search(decode(prompt.token_ids))
        assert found, "a judgment prompt shows two responses"
        if self.poison and (self.poison in found[1] or self.poison in found[2]):
            return Read(Reading(nan, nan), len(prompt.token_ids), 0)
        lead = quality(found[1]) - quality(found[2])
        at_a = 0.5 if lead == 0 else self.probability if lead > 0 else 1 - self.probability
        at_a = self.probability if self.favours_a else at_a
        reading = Reading(log(at_a * self.label_mass), log((1 - at_a) * self.label_mass))
        return Read(reading, len(prompt.token_ids), len(prompt.token_ids) // 2)

    def _score(self, prompt: ChoicePrompt, answered: str) -> Read:
        if self.poison and self.poison in answered:
            return Read(Reading(nan, nan), len(prompt.token_ids), 0)
        good = 1 / (1 + exp(-quality(answered) / 10))
        reading = Reading(log(good * self.label_mass), log((1 - good) * self.label_mass))
        return Read(reading, len(prompt.token_ids), len(prompt.token_ids) - 20)


def completion(
    text: str | None,
    *,
    tokens: int = 4,
    model: str = MODEL,
    reasoning: str | None = None,
    reasoning_tokens: int | None = None,
    tool_calls: Sequence[ToolCall] = (),
    finish_reason: str = "stop",
) -> ChatCompletionResponse:
    """VLLM's answer with one choice."""
    details = None if reasoning_tokens is None else CompletionTokenUsageInfo(reasoning_tokens=reasoning_tokens)
    message = ChatMessage(role="assistant", content=text, reasoning=reasoning, tool_calls=list(tool_calls))
    return ChatCompletionResponse(
        model=model,
        choices=[ChatCompletionResponseChoice(index=0, message=message, finish_reason=finish_reason)],
        usage=UsageInfo(
            prompt_tokens=PROMPT_TOKENS,
            completion_tokens=tokens,
            total_tokens=PROMPT_TOKENS + tokens,
            completion_tokens_details=details,
        ),
    )


Outcome = str | ChatCompletionResponse | ErrorResponse | Exception


@dataclass
class ScriptedChat(OpenAIServingChat):
    """vLLM's chat handler as far as we use it: answers the i-th call with the i-th outcome, over and over.

    Like vLLM's, it swallows a cancellation and returns an error object, and starts nothing for a stream that nobody
    reads.
    """

    outcomes: Sequence[Outcome] = ("answer 1", "answer 2", "answer 3", "answer 4")
    requests: list[ChatCompletionRequest] = field(default_factory=list)
    before: Callable[[int], Awaitable[None]] | None = None
    """Awaited before the answer to each call, with the call's number."""
    refusal: ErrorResponse | Exception | None = None
    """What rendering a request leads to, if not to a prompt."""
    request_logger: RequestLogger | None = None
    parser_cls: Any = None
    """What takes reasoning out of answers."""
    prompt_tokens: int = 0
    """Length of rendered prompts."""

    @override
    async def create_chat_completion(
        self, request: ChatCompletionRequest, raw_request: object = None
    ) -> AsyncGenerator[str, None] | ChatCompletionResponse | ErrorResponse:
        rendered = await self.render_chat_request(request)
        if isinstance(rendered, ErrorResponse):
            return rendered
        told = vars(request)  # reading max_tokens by its name warns that it is deprecated
        wanted = told["max_tokens"] if told["max_completion_tokens"] is None else told["max_completion_tokens"]
        request.to_sampling_params(get_max_tokens(CONTEXT_TOKENS, wanted, PROMPT_TOKENS, {}), {})
        if request.stream:
            return self._stream(request)
        try:
            return await self.answer(request)
        except asyncio.CancelledError:
            return create_error_response("Client disconnected")

    async def answer(self, request: ChatCompletionRequest) -> ChatCompletionResponse | ErrorResponse:
        """What the engine makes of a request."""
        number = len(self.requests)
        self.requests.append(request)
        if self.before:
            await self.before(number)
        outcome = self.outcomes[number % len(self.outcomes)]
        if isinstance(outcome, Exception):
            raise outcome
        answer = completion(outcome) if isinstance(outcome, str) else outcome
        if request.echo and isinstance(answer, ChatCompletionResponse):
            message = answer.choices[0].message
            message.content = _echoed(request) + (message.content or "")
        if request.return_token_ids and isinstance(answer, ChatCompletionResponse):
            return _with_token_ids(request, answer)
        return answer

    async def _stream(self, request: ChatCompletionRequest) -> AsyncGenerator[str, None]:
        yield f"data: {(await self.answer(request)).model_dump_json()}\n\n"
        yield "data: [DONE]\n\n"

    @override
    async def render_chat_request(self, request: ChatCompletionRequest) -> tuple[list[Any], list[Any]] | ErrorResponse:
        if isinstance(self.refusal, Exception):
            raise self.refusal
        # Any version of a policy is taken for one that is loaded.
        known = request.model in (None, "", MODEL, ADAPTER.lora_name) or "@" in request.model
        if self.refusal is None and not known:
            message = f"The model `{request.model}` does not exist."
            return create_error_response(message, "NotFoundError", HTTPStatus.NOT_FOUND, "model")
        return self.refusal or ([], [{"prompt_token_ids": [0] * self.prompt_tokens}] if self.prompt_tokens else [])


def _with_token_ids(request: ChatCompletionRequest, answer: ChatCompletionResponse) -> ChatCompletionResponse:
    """The answer with the tokens of prompt and answer, and the one that ended it unless it was cut."""
    told, encode = answer.model_copy(deep=True), tokenizer().encode
    prompt = tokenizer().apply_chat_template(
        [dict(message) for message in request.messages],
        tokenize=False,
        add_generation_prompt=request.add_generation_prompt,
        continue_final_message=request.continue_final_message,
    )
    [choice] = told.choices
    told.prompt_token_ids = encode(str(prompt), add_special_tokens=False)
    choice.token_ids = encode(choice.message.content or "", add_special_tokens=False)
    if choice.finish_reason == "stop":
        choice.token_ids.append(int(tokenizer().eos_token_id))
    return told


def _echoed(request: ChatCompletionRequest) -> str:
    """What vLLM's handler puts before an answer with `echo`: the last message, where it is of the answer's role."""
    last = dict(request.messages[-1])
    return str(last.get("content") or "") if last["role"] == "assistant" else ""


@dataclass
class FakeModels(OpenAIServingModels):
    """The served models: one base, one adapter."""

    base_model_paths: list[BaseModelPath] = field(default_factory=lambda: [BaseModelPath(MODEL, "models/tiny")])
    lora_requests: dict[str, LoRARequest] = field(default_factory=lambda: {ADAPTER.lora_name: ADAPTER})

    @override
    def is_base_model(self, model_name: str) -> bool:
        return model_name in [path.name for path in self.base_model_paths]


class World(NamedTuple):
    """A state made of fakes, and the fakes."""

    state: SelfJudgeState
    reader: QualityReader
    chat: ScriptedChat

    def app(self) -> FastAPI:
        """The one application of all tests, on this state."""
        app = _application()
        app.state.selfjudge = self.state
        app.state.openai_serving_chat = self.chat
        return app

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of `app`; what a server would answer with 500 comes back as 500."""
        transport = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@cache
def _application() -> FastAPI:
    """Our routes and guards, and error handlers in the order in which a server sets them."""
    app = FastAPI()
    app.state.args = Namespace(
        log_error_stack=False,
        api_key=None,
        sse_keep_alive_interval=0,
        otlp_traces_endpoint=None,
        enable_force_include_usage=False,
    )
    SelfJudgePlugin().attach_router(app)
    init_exception_handler(app)
    answer_errors(app)
    return app


def make_world(
    chat: ScriptedChat | None = None,
    reader: QualityReader | None = None,
    *,
    sampling_defaults: Mapping[str, float] | None = None,
    context: int = CONTEXT_TOKENS,
    limits: Limits | None = None,
    **settings: Any,  # noqa: ANN401  whatever Settings takes
) -> World:
    """A state over fakes."""
    reader, chat = reader or QualityReader(), chat or ScriptedChat()
    chosen = Settings(**settings)
    judge = Judge(tokenizer(), reader, chosen, context)
    admission = Admission(limits or Limits(candidates=1000))
    method = chosen.method or "tournament"
    state = SelfJudgeState(chosen, judge, Sampler(chat), FakeModels(), sampling_defaults or {}, admission, method)
    return World(state, reader, chat)


def compared(first: str, second: str) -> Comparison:
    """Two responses to the usual question."""
    return Comparison("Say a number.", first, second)


async def settle() -> None:
    """Lets every task that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


def as_engine(fake: object) -> EngineClient:
    """A fake that implements what we call of vLLM's engine client, under its type."""
    assert not isinstance(fake, EngineClient)
    return fake  # type: ignore[return-value]  # the abstract class has dozens of methods that we never call
