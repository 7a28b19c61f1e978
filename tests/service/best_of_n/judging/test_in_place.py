"""One read behind an answer: its length, and what a model must have for it."""

from pathlib import Path

import pytest
from selfjudge_service.best_of_n.judging.in_place import InPlaceJudge
from selfjudge_service.protocol.errors import ApiError
from selfjudge_service.protocol.requests import JudgingOptions
from selfjudge_service.settings import Settings

from selfjudge import Chat, ChoiceTokenError, Kept, SafeTokenizer, TemplateError
from tests.service.fakes import QualityReader, tokenizer

CONTEXT = 200


def judge(reader: QualityReader | None = None, **settings: object) -> InPlaceJudge:
    chat = Chat(SafeTokenizer(tokenizer()))
    return InPlaceJudge(chat, reader or QualityReader(), Settings.model_validate(settings), CONTEXT)


def encoded(text: str) -> list[int]:
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False)
    return ids


async def test_an_answer_that_leaves_no_room_for_the_question_keeps_its_beginning() -> None:
    reader = QualityReader()
    scorer, prompt, response = judge(reader), encoded("Say."), encoded("z" * 400)
    panel = scorer.panel(JudgingOptions(), None)
    scored = await scorer.score(panel, prompt, response)
    [read] = reader.prompts
    tail = panel.encoder.tail()
    kept = CONTEXT - 1 - len(prompt) - len(tail)
    assert scored.cut == Kept(kept, len(response))
    assert list(read.token_ids) == [*prompt, *response[:kept], *tail]
    assert (await scorer.score(panel, prompt, response[:kept])).cut is None


def test_a_prompt_needs_room_for_the_question() -> None:
    scorer = judge()
    panel = scorer.panel(JudgingOptions(), None)
    longest = CONTEXT - 1 - len(panel.encoder.tail())
    scorer.require_room(panel, longest)
    with pytest.raises(ApiError, match=f"{longest + 1} tokens, and at most {longest}"):
        scorer.require_room(panel, longest + 1)


async def test_a_score_is_the_share_of_the_good_label() -> None:
    scorer = judge(QualityReader(label_mass=0.5))
    scored = await scorer.score(scorer.panel(JudgingOptions(), None), encoded("Say."), encoded("0"))
    assert [scored.score, scored.label_mass] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("name", ["nope", "in-place-pair", "ultrafeedback"])
def test_the_default_template_must_be_one_that_scores_in_place(name: str) -> None:
    with pytest.raises(TemplateError, match=f"called '{name}'; known are in-place-score"):
        judge(in_place_template=name)


async def test_a_tokenizer_without_the_labels_is_told_where_scores_are_asked_for(tmp_path: Path) -> None:
    words = 'name: own\nform: in-place\nsource: us\nquestion: Right?\nlabels: ["certainly", "hardly"]\n'
    (tmp_path / "own.yaml").write_text(words)
    scorer = judge(templates_dir=tmp_path, in_place_template="own")
    with pytest.raises(ChoiceTokenError, match="must be one token"):
        await scorer.warm_up()
    with pytest.raises(ApiError, match=r"^template: .*'own'.* must be one token") as caught:
        scorer.panel(JudgingOptions(), None)
    assert caught.value.param == "template"
    assert scorer.panel(JudgingOptions(template="in-place-score"), None).template == "in-place-score"
