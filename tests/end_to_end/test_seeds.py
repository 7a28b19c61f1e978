"""Requests with a seed whose prompts are computed in chunks."""

from pathlib import Path

import pytest

from tests.end_to_end.serving import serving

# As many tokens a step as sequences is the least that vLLM allows.
CHUNK = 128


@pytest.mark.slow
def test_a_seeded_request_with_a_long_prompt_is_answered_and_repeats_itself(tmp_path: Path) -> None:
    letters = " ".join("QDBAXYZKLM"[index % 10] for index in range(2 * CHUNK))
    with serving(tmp_path / "log", "--max-num-batched-tokens", str(CHUNK)) as server:

        def ask() -> str:
            answer = server.client.chat.completions.create(
                model=server.model, messages=[{"role": "user", "content": letters}], seed=7, max_tokens=16
            )
            assert answer.usage is not None
            assert answer.usage.prompt_tokens > CHUNK
            return answer.choices[0].message.content or ""

        assert ask() == ask()
        tournament = server.client.chat.completions.create(
            model=server.model,
            messages=[{"role": "user", "content": letters}],
            seed=7,
            max_tokens=16,
            extra_body={"best_of_n": 4},
        )
        assert tournament.choices
        assert "the engine failed" not in server.log.read_text()
