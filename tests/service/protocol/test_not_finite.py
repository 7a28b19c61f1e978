"""Numbers that JSON has not."""

import math

import pytest
from selfjudge_service.protocol.error_handlers import dumps
from selfjudge_service.protocol.errors import NotFiniteError


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_json_is_made_of_it(number: float) -> None:
    with pytest.raises(NotFiniteError):
        dumps({"a": [number]})


def test_other_things_become_json() -> None:
    assert dumps({"a": [1.5, None, "é"]}) == '{"a":[1.5,null,"é"]}'
