"""Training examples of JSFT: the dialogues of D_SFT and the judgments of D_Judge (section 3.1, appendix A.3).

The loss is on what the assistant says: its turns in a dialogue, what follows the judgment template in a judgment,
in both cases with the token that ends the turn. Token ids are those of inference, made by the same code. Sampling,
position swaps and weights of examples are the trainer's.
"""

from collections.abc import Sequence
from typing import NamedTuple

from selfjudge.errors import ConversationError, TemplateError
from selfjudge.judgment.conversation import Conversation, Message, message_text
from selfjudge.judgment.prompt import Choice, JudgmentEncoder
from selfjudge.text.chat import Chat


class Example(NamedTuple):
    """One training sequence, its two lists of equal length."""

    input_ids: list[int]
    loss_mask: list[bool]
    """True where the token is a target, to be predicted from those before it."""

    @property
    def prompt_ids(self) -> list[int]:
        """Everything before the first target."""
        return self.input_ids[: self.loss_mask.index(True)]

    @property
    def target_ids(self) -> list[int]:
        """Everything from the first target on."""
        return self.input_ids[self.loss_mask.index(True) :]


class RationalePair(NamedTuple):
    """Why the judge chose as it did: an evaluation of each response, by place (table 16)."""

    of_a: str
    of_b: str


def dialogue_example(chat: Chat, messages: Sequence[Message]) -> Example:
    """A dialogue of D_SFT, rendered by the chat template; targets are all turns of the assistant.

    A turn begins where the prompt for it ends, so that a space which the template puts before an answer is learnt too.
    Raises ConversationError where no assistant speaks or it speaks first, ChatTemplateError where the template refuses
    the roles, or asks for an answer in other words than it shows one.
    """
    roles = tuple(str(message["role"]) for message in messages)
    if "assistant" not in roles[1:] or roles[0] == "assistant":
        raise ConversationError("a dialogue to train on needs an assistant message, and another before it")
    pieces = chat.scaffold(roles, answering=False)
    text, targets = "", []
    for index, (role, message) in enumerate(zip(roles, messages, strict=True)):
        before, content, after = chat.tokens.trusted(pieces[index]), message_text(message), pieces[index + 1]
        if role == "assistant":
            start = len(text) + len(chat.tokens.trusted(chat.asking(roles[:index], pieces[index])))
            end = len(text) + len(before) + len(content) + len(chat.tokens.trusted(chat.ending(after)))
            targets.append((start, end))
        text += before + content
    text += chat.tokens.trusted(pieces[-1])
    loss_mask = [any(end > a and start < b for a, b in targets) for start, end in chat.tokens.spans(text)]
    return Example(chat.tokens.encode(text), loss_mask)


def judgment_example(
    encoder: JudgmentEncoder,
    conversation: Conversation,
    response_a: str,
    response_b: str,
    choice: Choice,
    rationale: RationalePair | None = None,
) -> Example:
    """A judgment of D_Judge: target is the choice token, the rationale where one is given, and the end of the turn.

    Raises TemplateError where a rationale is given but the template has none; over-long texts are cut as at inference.
    """
    explained = ""
    if rationale is not None:
        if encoder.template.rationale is None:
            raise TemplateError(f"template {encoder.template.name!r} has no rationale, but one was given")
        explained = encoder.template.rationale.format.format(rationale_a=rationale.of_a, rationale_b=rationale.of_b)
    prompt = encoder.encode(conversation, response_a, response_b).first_at_a
    chat = encoder.chat
    input_ids = encoder.continued(prompt, choice, explained + chat.tokens.trusted(chat.turn_end()))
    return Example(input_ids, [index >= len(prompt) for index in range(len(input_ids))])
