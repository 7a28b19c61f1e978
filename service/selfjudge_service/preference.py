"""How a model wants the best of N to be found: the key `selfjudge` of its config.json, say `{"method": "score"}`."""

from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from selfjudge.errors import SelfJudgeError
from selfjudge_service.settings import MethodName

_KEY: Final = "selfjudge"


class _Preference(BaseModel):
    model_config = ConfigDict(extra="forbid")

    method: MethodName


def preferred_method(config: object) -> MethodName | None:
    """The method that a model's configuration names; None where it names none.

    Raises:
        SelfJudgeError: if it names one that there isn't.
    """
    told = getattr(config, _KEY, None)
    if told is None:
        return None
    try:
        return _Preference.model_validate(told).method
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (_KEY, *first["loc"])))
        raise SelfJudgeError(f"the model's config.json: {where}: {first['msg']}") from error
