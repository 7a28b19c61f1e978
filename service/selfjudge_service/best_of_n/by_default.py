"""Which requests the server's own `best_of_n` is for: those that say nothing and would gain by it.

All others are vLLM's to answer as if there were no default: what can't be judged, what would be sampled N times to
the same end, and one half of an answer whose other half another server gives. Whoever asks for selection, by
`best_of_n` or by `self_rejection`, is told what is in its way instead.
"""

from selfjudge import ConversationError
from selfjudge_service.best_of_n.equal_candidates import why_equal
from selfjudge_service.best_of_n.prefill import judged_conversation
from selfjudge_service.protocol.errors import ApiError
from selfjudge_service.protocol.requests import ChatRequest, JudgingOptions
from selfjudge_service.state import SelfJudgeState


def selects_by_default(request: ChatRequest, state: SelfJudgeState) -> bool:
    """Whether a request that names no `best_of_n` gets the server's."""
    if request.n not in (None, 1):
        return False
    if request.self_rejection is not None:
        return True
    disaggregated = request.kv_transfer_params or request.ec_transfer_params
    if disaggregated or request.use_beam_search or why_equal(request, state.sampling_defaults):
        return False
    try:
        panel = state.judge.panel(JudgingOptions(), None, chat_template_kwargs=request.chat_template_kwargs)
        panel.encoders[0].check(judged_conversation(request))
    except (ApiError, ConversationError):
        return False
    return True
