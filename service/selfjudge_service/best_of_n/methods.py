"""The methods of selection: which one a request gets, and what its candidates are judged by.

A method is a way of picking (pure, in `selfjudge.selection`), and a panel of the kind that answers what it asks.
"""

from typing import NamedTuple, Protocol

from vllm.lora.request import LoRARequest

from selfjudge_service.best_of_n.judging.in_place import InPlacePanel
from selfjudge_service.best_of_n.judging.judge import Judge, Panel
from selfjudge_service.best_of_n.sampler import Sampler, prompt_tokens
from selfjudge_service.protocol.errors import ApiError, InvalidFieldError
from selfjudge_service.protocol.requests import ChatRequest, SelfRejection
from selfjudge_service.settings import MethodName


class Method(NamedTuple):
    """A method and its panel: matches are judged by documents that show two candidates, scores are read in place."""

    name: MethodName
    panel: Panel | InPlacePanel


class Judges(Protocol):
    """The part of `SelfJudgeState` that choosing a method needs."""

    @property
    def judge(self) -> Judge:
        """Compares and scores candidates."""
        ...

    @property
    def sampler(self) -> Sampler:
        """Brings candidates."""
        ...

    @property
    def method(self) -> MethodName:
        """How the best is found where requests don't say."""
        ...


def method_of(request: ChatRequest, options: SelfRejection, lora: LoRARequest | None, judges: Judges) -> Method:
    """The method that a request gets.

    Raises:
        ApiError: naming what is wrong and what would be accepted.
    """
    name, kwargs = _name(options, judges), request.chat_template_kwargs
    if name == "tournament":
        if options.template in judges.judge.in_place.templates:
            known = ", ".join(sorted(judges.judge.templates))
            raise InvalidFieldError(
                "template", f"must be one of {known} with the method 'tournament'", options.template
            )
        return Method(name, judges.judge.panel(options, lora, chat_template_kwargs=kwargs))
    if request.chat_template is not None:
        raise ApiError(
            "chat_template: must be absent with the method 'score', which asks by the server's", "chat_template"
        )
    if judges.sampler.hides_tokens(request):
        raise InvalidFieldError(
            "include_reasoning", "must be true with the method 'score', which reads the sampled tokens", False
        )
    panel = judges.judge.in_place.panel(options, lora, chat_template_kwargs=kwargs)
    if (length := prompt_tokens(request)) is not None:
        judges.judge.in_place.require_room(panel, length)
    return Method(name, panel)


def _name(options: SelfRejection, judges: Judges) -> MethodName:
    """The method asked for; else the one that the principles or the template are for; else the server's default."""
    if options.method:
        return options.method
    if options.principles or options.template in judges.judge.templates:
        return "tournament"
    return "score" if options.template in judges.judge.in_place.templates else judges.method
