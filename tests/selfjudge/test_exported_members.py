"""The public surface of the package, and the tree of its errors."""

import inspect

import selfjudge
from selfjudge import errors


def test_all_is_sorted_and_is_what_is_there() -> None:
    public = [name for name, value in vars(selfjudge).items() if not (name.startswith("_") or inspect.ismodule(value))]
    assert sorted(selfjudge.__all__) == sorted(public)
    assert len(set(selfjudge.__all__)) == len(selfjudge.__all__)


def test_every_error_is_exported_and_stands_in_the_tree() -> None:
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    tree = str(errors.__doc__)
    for name, value in classes.items():
        assert issubclass(value, errors.SelfJudgeError)
        assert name in selfjudge.__all__
        assert name in tree


def test_the_tree_is_drawn_as_it_is() -> None:
    lines = [line for line in str(errors.__doc__).splitlines() if line.startswith("    ")]
    above: dict[int, str] = {}
    for line in lines:
        name = line.lstrip(" │├└─").split()[0]
        depth = line.index(name) // 4
        above[depth] = name
        if depth > 1:
            assert getattr(errors, name).__base__.__name__ == above[depth - 1]
