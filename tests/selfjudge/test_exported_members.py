"""The public surface of the package."""

import inspect

import selfjudge
from selfjudge import errors


def test_all_is_sorted_and_is_what_is_there() -> None:
    public = [name for name, value in vars(selfjudge).items() if not (name.startswith("_") or inspect.ismodule(value))]
    assert sorted(selfjudge.__all__) == sorted(public)
    assert len(set(selfjudge.__all__)) == len(selfjudge.__all__)


def test_every_error_is_exported() -> None:
    for name, value in vars(errors).items():
        if inspect.isclass(value):
            assert issubclass(value, errors.SelfJudgeError)
            assert name in selfjudge.__all__
