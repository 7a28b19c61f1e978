"""What two profiles render to is known to the letter, and what is derived from the code is up to date."""

import json

import pytest

from tests.deploy.chart import CHART, CHARTS_OWN, GOLDEN, PROFILES, VARIANTS, golden, helm, settings_schema


@pytest.mark.parametrize("name", ["object-store", "several-nodes"])
def test_a_render_is_the_golden_one(name: str) -> None:
    rendered = golden((PROFILES | VARIANTS)[name])
    assert rendered == GOLDEN[name].read_text(), "make chart rewrites it: read the difference"


def test_helm_lints_it() -> None:
    helm("lint", "--strict", CHART)


def test_settings_are_those_of_the_server() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["settings"] == settings_schema(), "make chart rewrites it"
    assert not schema["properties"]["settings"]["properties"].keys() & CHARTS_OWN
