"""Selection by score on the real engine. The model that ships was not trained to score: these are the mechanics."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.serving import Server, serving

# Its tokenizer has the letters, and neither "yes" nor "no".
TEMPLATE = """
name: letters
form: in-place
source: these tests
question: Sort these letters right? A or B
labels: ["A", "B"]
"""
BLOCK = 32
PROMPT = "Sort these letters: " + "QDBAXYZKLM" * 10


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model, told to select by score."""
    folder = tmp_path_factory.mktemp("scoring")
    (folder / "templates").mkdir()
    (folder / "templates" / "letters.yaml").write_text(TEMPLATE)
    flags = ["--method", "score", "--in-place-template", "letters", "--templates-dir", str(folder / "templates")]
    with serving(folder / "log", *flags, "--block-size", str(BLOCK), key="a-key-for-tests") as running:
        yield running


def ask(server: Server, **fields: object) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": PROMPT}], "best_of_n": 4, "seed": 4, **fields}
    with server.http() as client:
        answer: dict[str, Any] = client.post("/v1/chat/completions", json=body).raise_for_status().json()
    return answer


@pytest.mark.parametrize("max_tokens", [300, 90])
def test_only_the_question_is_computed(scoring: Server, max_tokens: int) -> None:
    """All but the last block of prompt and answer comes from the cache, ended by its end or by its length."""
    included = {"include": ["candidates"]}
    answer = ask(scoring, max_tokens=max_tokens, ignore_eos=max_tokens == 90, temperature=1.3, self_rejection=included)
    report, prompt = answer["self_rejection"], answer["usage"]["prompt_tokens"]
    assert (report["method"], report["template"]) == ("score", "letters")
    scores = {one["candidate"]: one["score"] for one in report["candidates"]}
    assert report["ranking"] == sorted(scores, key=lambda candidate: -scores[candidate])
    usage, sampled = report["usage"], sum(one["completion_tokens"] for one in report["candidates"])
    assert usage["judge_reads"] == 4
    computed = usage["judge_prompt_tokens"] - usage["judge_cached_tokens"]
    tail = (usage["judge_prompt_tokens"] - 4 * prompt - sampled) / 4
    assert prompt > 3 * BLOCK
    assert computed <= 4 * (tail + 1 + BLOCK)


def test_a_request_may_ask_for_the_tournament(scoring: Server) -> None:
    report = ask(scoring, max_tokens=8, self_rejection={"method": "tournament"})["self_rejection"]
    assert (report["method"], report["template"]) == ("tournament", "ultrafeedback")


def test_the_same_seed_selects_the_same_answer_whole_and_streamed(scoring: Server) -> None:
    first, second = (ask(scoring, max_tokens=30) for _ in range(2))
    assert first["choices"][0]["message"] == second["choices"][0]["message"]
    stream = scoring.client.chat.completions.create(
        model=scoring.model,
        messages=[{"role": "user", "content": PROMPT}],
        seed=4,
        max_tokens=30,
        stream=True,
        extra_body={"best_of_n": 4},
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert streamed == first["choices"][0]["message"]["content"]
