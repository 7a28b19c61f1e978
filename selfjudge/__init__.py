"""Self-Judge, the method: one model that answers and judges (arXiv 2402.11253).

Judgment templates and their safe encoding, the reading of P(A) and P(B), verdicts, and the tournament and the scores
that pick the best of N. The package needs no HTTP, inference engine or trainer.
"""

from selfjudge.errors import (
    AdapterError,
    BudgetError,
    ChatTemplateError,
    ChoiceTokenError,
    ConversationError,
    PrincipleError,
    ReadingError,
    SelfJudgeError,
    ShippedModelError,
    TemplateError,
    TokenizerError,
    TournamentError,
)
from selfjudge.judgment.budget import Cut, Kept
from selfjudge.judgment.conversation import Conversation, Message, message_text
from selfjudge.judgment.examples import Example, RationalePair, dialogue_example, judgment_example
from selfjudge.judgment.in_place import Answered, InPlaceEncoder, InPlaceTemplate, Labels
from selfjudge.judgment.prompt import Choice, ChoiceTokens, Comparison, Context, JudgmentEncoder, JudgmentPrompts
from selfjudge.judgment.template import JudgmentTemplate
from selfjudge.judgment.template_files import load_in_place_templates, load_template, load_templates
from selfjudge.judgment.verdict import Orders, PrincipleVerdict, Reading, Verdict, Winner
from selfjudge.selection.contest import Contest, Match, Reason, Record
from selfjudge.selection.method import SelectionMethod
from selfjudge.selection.round_robin import RoundRobin
from selfjudge.selection.scores import BestScore
from selfjudge.selection.tournament import Tournament
from selfjudge.text.chat import Chat
from selfjudge.text.dialogue import CONTROL_TOKENS, DIALOGUE_TEMPLATE
from selfjudge.text.tokens import SafeTokenizer

__all__ = [
    "CONTROL_TOKENS",
    "DIALOGUE_TEMPLATE",
    "AdapterError",
    "Answered",
    "BestScore",
    "BudgetError",
    "Chat",
    "ChatTemplateError",
    "Choice",
    "ChoiceTokenError",
    "ChoiceTokens",
    "Comparison",
    "Contest",
    "Context",
    "Conversation",
    "ConversationError",
    "Cut",
    "Example",
    "InPlaceEncoder",
    "InPlaceTemplate",
    "JudgmentEncoder",
    "JudgmentPrompts",
    "JudgmentTemplate",
    "Kept",
    "Labels",
    "Match",
    "Message",
    "Orders",
    "PrincipleError",
    "PrincipleVerdict",
    "RationalePair",
    "Reading",
    "ReadingError",
    "Reason",
    "Record",
    "RoundRobin",
    "SafeTokenizer",
    "SelectionMethod",
    "SelfJudgeError",
    "ShippedModelError",
    "TemplateError",
    "TokenizerError",
    "Tournament",
    "TournamentError",
    "Verdict",
    "Winner",
    "dialogue_example",
    "judgment_example",
    "load_in_place_templates",
    "load_template",
    "load_templates",
    "message_text",
]
