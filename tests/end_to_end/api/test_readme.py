"""The README's first requests, sent as they stand there, give what stands under them."""

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

from tests.end_to_end.serving import Server

README = (Path(__file__).resolve().parents[3] / "README.md").read_text()


def block(language: str) -> str:
    """Return the README's only code block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(found)


def without_empty_fields(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Leave out null, [] and {} at every depth."""
    if isinstance(value, dict):
        pruned = {name: without_empty_fields(item) for name, item in value.items()}
        return {name: item for name, item in pruned.items() if item not in (None, [], {})}
    return [without_empty_fields(item) for item in value] if isinstance(value, list) else value


def shape(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Replace every leaf by its type: processors that round differently sample other letters."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_the_curl_request(server: Server) -> None:
    body = re.search(r"-d '(.*)'", block("sh"), re.DOTALL)
    assert body is not None
    with server.http() as client:
        answer = client.post("/v1/chat/completions", json=json.loads(body[1]))
    assert answer.status_code == 200, answer.text
    assert shape(without_empty_fields(answer.json())) == shape(json.loads(block("json")))


def test_the_python_request(server: Server) -> None:
    program = block("python").replace("http://127.0.0.1:8000", server.url).replace('"none"', repr(server.key))
    assert server.url in program
    printed, names = io.StringIO(), dict[str, Any]()
    with contextlib.redirect_stdout(printed):
        exec(program, names)  # noqa: S102  the README's own program
    names["client"].close()
    lines, shown = printed.getvalue().splitlines(), block("text").splitlines()
    assert [line.split(":")[0] for line in lines] == [line.split(":")[0] for line in shown]
