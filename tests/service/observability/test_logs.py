"""How a process's lines come out, set up as the launcher does and as the plugin does."""

import json
import os
import subprocess
import sys

import pytest

LINES = """
logging.getLogger("selfjudge_service.adapters").info("adopted")
logging.getLogger("selfjudge.adapters").warning("odd")
logging.getLogger("vllm.engine").error("dead")
logging.getLogger("uvicorn.error").warning("late")
logging.getLogger("somebody.else").info("chatter")
"""


def output(set_up: str, **environment: str) -> list[str]:
    """What a process prints that sets logging up and then logs as several programs do."""
    code = f"import logging\nfrom selfjudge_service.observability import logs\n{set_up}\n{LINES}"
    env = {"PYTHONPATH": os.pathsep.join(sys.path), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("set_up", "environment"),
    [('logs.for_us("json")', {}), ("logs.for_us(None)", {"SELFJUDGE_LOG_FORMAT": "json"})],
    ids=["flag", "environment"],
)
def test_everybodys_lines_are_json(set_up: str, environment: dict[str, str]) -> None:
    lines = [json.loads(line) for line in output(set_up, **environment)]
    assert [line["message"] for line in lines] == ["adopted", "odd", "dead", "late"]
    assert lines[2]["logger"] == "vllm.engine"


def test_text_is_the_default() -> None:
    assert output("logs.for_us(None)") == [
        "selfjudge: adopted",
        "selfjudge: WARNING odd",
        "vllm: ERROR dead",
        "uvicorn: WARNING late",
    ]


def test_what_vllms_routes_import_leaves_warnings_of_others() -> None:
    lines = output('logs.for_us("json")\nlogging.getLogger().setLevel("ERROR")\nlogs.keep_warnings()')
    assert "late" in [json.loads(line)["message"] for line in lines]


def test_a_flag_goes_before_the_environment() -> None:
    assert output('logs.for_us("text")', SELFJUDGE_LOG_FORMAT="json")[0] == "selfjudge: adopted"


def test_in_anybodys_server_only_ours_are_set_up() -> None:
    lines = output("logs.for_plugin()", SELFJUDGE_LOG_FORMAT="json")
    assert [json.loads(line)["message"] for line in lines] == ["adopted", "odd"]


def test_in_anybodys_server_what_is_set_up_stays() -> None:
    assert output("logging.basicConfig(level='INFO', stream=__import__('sys').stdout)\nlogs.for_plugin()")[:1] == [
        "INFO:selfjudge_service.adapters:adopted"
    ]
