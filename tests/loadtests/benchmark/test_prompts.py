"""Prompts follow the model, and the long ones are of the length that the page says."""

from itertools import pairwise
from pathlib import Path

from loadtests.benchmark.prompts import prompts_for
from selfjudge.shipped import TINY_MODEL


def test_the_tiny_model_is_asked_about_letters_and_others_in_english() -> None:
    assert list(prompts_for(TINY_MODEL).draw) == ["letters"]
    assert list(prompts_for(Path("org/model")).draw) == ["50 tokens", "1,000 tokens"]


def test_long_prompts_are_the_short_ones_behind_a_text_that_no_two_begin_with() -> None:
    short, long = (draw(9) for draw in prompts_for(Path("org/model")).draw.values())
    assert [job.seed for job in long] == [job.seed for job in short]
    assert all(much.prompt.endswith(f"\n\n{little.prompt}") for much, little in zip(long, short, strict=True))
    assert all(4500 <= len(much.prompt) - len(little.prompt) <= 4502 for much, little in zip(long, short, strict=True))
    assert len({job.prompt[:40] for job in long}) == len(long)
    assert all(later.seed - earlier.seed >= 256 for earlier, later in pairwise(short))
