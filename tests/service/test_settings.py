"""What an operator can set."""

import pytest
from pydantic import ValidationError
from selfjudge_service.settings import Settings


def test_nothing_needs_to_be_set() -> None:
    settings = Settings()
    assert (settings.max_best_of_n, settings.default_best_of_n, settings.max_comparisons) == (64, 1, 256)
    assert settings.api_keys == ()


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFJUDGE_MAX_BEST_OF_N", "16")
    monkeypatch.setenv("SELFJUDGE_API_KEYS", " one, two ,,")
    monkeypatch.setenv("SELFJUDGE_ADMIN_KEYS", "three,")
    settings = Settings()
    assert (settings.max_best_of_n, settings.api_keys, settings.admin_keys) == (16, ("one", "two"), ("three",))


def test_keys_may_hold_commas_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFJUDGE_API_KEYS", '["a,b", " c"]')
    assert Settings().api_keys == ("a,b", " c")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BEST_OF_N", "0"),
        ("API_KEYS", "[one, two"),
        ("ADMIN_KEYS", "[1]"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SELFJUDGE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().max_best_of_n = 1  # type: ignore[misc]  # that is the point
