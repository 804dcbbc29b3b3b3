"""The mixin is the shipped rules and dashboards: check.py ROOT FOLDER. Writes the rules with another configuration into FOLDER."""

import json
import sys
from pathlib import Path

import _gojsonnet
import yaml

root, out = map(Path, sys.argv[1:])


def made(config, what):
    text = f"((import '{root}/deploy/mixin/mixin.libsonnet') {{_config+:: {json.dumps(config)}}}).{what}"
    return json.loads(_gojsonnet.evaluate_snippet("check", text))


def rules(config):
    alerts, records = made(config, "prometheusAlerts"), made(config, "prometheusRules")
    assert all(any("alert" in rule for rule in group["rules"]) for group in alerts["groups"])
    assert not any("alert" in rule for group in records["groups"] for rule in group["rules"])
    return {group["name"]: group for group in alerts["groups"] + records["groups"]}


shipped = [group for file in (root / "alert-rules").glob("*.yml") for group in yaml.safe_load(file.read_text())["groups"]]
unchanged = rules({})
for group in shipped:
    assert unchanged.pop(group["name"]) == group, f"{group['name']} differs; run: make mixin"
assert not unchanged, f"{list(unchanged)} are too many; run: make mixin"
dashboards = {file.name: json.loads(file.read_text()) for file in (root / "dashboards").glob("*.json")}
assert made({}, "grafanaDashboards") == dashboards, "the dashboards differ; run: make mixin"

other = {
    "runbooksUrl": "https://wiki.company.example/runbooks/",
    "grafanaUrl": "https://grafana.company.example/",
    "alertmanagerUrl": "https://alertmanager.company.example/",
    "exporterUrl": "https://ci.company.example",
    "gitlabUrl": "https://gitlab.company.example",
    "thresholds": {"consecutive_failures": {"warning": 4}, "window_failures": 7},
    "ruleLabels": {"environment": "production"},
}
changed = rules(other)
text = json.dumps([list(changed.values()), made(other, "grafanaDashboards")])
for address in [value for value in other.values() if isinstance(value, str)]:
    assert address in text, address
    text = text.replace(address, "")
for placeholder in ["github.com/example", ".example.com", "127.0.0.1:10141", "https://gitlab.com"]:
    assert placeholder not in text, placeholder
for group in changed.values():
    for rule in group["rules"]:
        assert "alert" not in rule or rule["labels"]["environment"] == "production", rule
thresholds = {(rule["record"], rule.get("labels", {}).get("severity")): rule["expr"] for rule in changed["ci-thresholds"]["rules"]}
assert thresholds["ci_default:consecutive_failures:threshold", "warning"] == "4"
assert thresholds["ci_default:consecutive_failures:threshold", "critical"] == "6"
assert thresholds["ci_default:window_failures:threshold", None] == "7"
(out / "rules.json").write_text(json.dumps({"groups": list(changed.values())}))

try:
    rules({"thresholds": {"consecutive_failure": {"warning": 4}}})
except RuntimeError as error:
    assert "no thresholds" in str(error) and "consecutive_failures" in str(error), error
else:
    raise AssertionError("an unknown threshold is taken")
