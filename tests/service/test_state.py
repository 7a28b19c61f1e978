"""The models that a name can stand for."""

import pytest
from selfjudge_service.protocol.errors import UnknownModelError

from tests.service.fakes import ADAPTER, MODEL, make_world


@pytest.mark.parametrize("name", [None, "", MODEL])
def test_the_base_has_no_adapter(name: str | None) -> None:
    assert make_world().state.adapter(name) is None


def test_an_adapter_is_found_by_its_name() -> None:
    assert make_world().state.adapter("tuned") is ADAPTER


def test_an_unknown_model_is_refused_with_those_that_are_served() -> None:
    with pytest.raises(UnknownModelError, match="must be one of tiny, tuned, got 'nope'") as caught:
        make_world().state.adapter("nope")
    assert (caught.value.status, caught.value.param) == (404, "model")
