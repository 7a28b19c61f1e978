"""The alerts: each fires when it should and is silent when it shouldn't, reads what exists, and has a runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.prometheus import ALERT_TESTS, ALERTS, ROOT, alerts, promtool


def expectations() -> list[dict[str, Any]]:
    """Every expectation of promtool's test file."""
    return [one for test in yaml.safe_load(ALERT_TESTS.read_text())["tests"] for one in test["alert_rule_test"]]


def test_the_rules_are_valid() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", ALERTS)


def test_every_alert_fires_and_is_silent_as_told() -> None:
    assert "SUCCESS" in promtool("test", "rules", ALERT_TESTS)


def test_promtools_tests_can_fail(tmp_path: Path) -> None:
    told = yaml.safe_load(ALERT_TESTS.read_text())
    told["rule_files"] = [str(ALERTS)]
    first = next(one for test in told["tests"] for one in test["alert_rule_test"] if "exp_alerts" in one)
    first["exp_alerts"][0]["exp_labels"]["severity"] = "another"
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(told))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", path)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
class TestAlert:
    """What holds of each alert."""

    def test_it_is_seen_to_fire(self, alert: dict[str, Any]) -> None:
        firing = [one for one in expectations() if one["alertname"] == alert["alert"] and one.get("exp_alerts")]
        assert firing

    def test_somebody_is_told_what_and_what_to_do(self, alert: dict[str, Any]) -> None:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["summary"].endswith(".")
        document, anchor = alert["annotations"]["runbook_url"].split("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / document).read_text(), re.MULTILINE)
        assert anchor in [heading.lower() for heading in headings]
