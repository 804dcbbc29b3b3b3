"""Writes what the mixin imports, from alert-rules/ and dashboards/: mixin.py FOLDER."""

import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def main():
    folder = Path(sys.argv[1])
    (folder / "dashboards").mkdir(parents=True, exist_ok=True)
    groups = []
    for file in sorted((ROOT / "alert-rules").glob("*.yml")):
        groups += yaml.safe_load(file.read_text())["groups"]
    (folder / "groups.json").write_text(json.dumps(groups, indent=1) + "\n")
    imports = []
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        (folder / "dashboards" / file.name).write_text(file.read_text())
        imports.append(f"  '{file.name}': importstr 'dashboards/{file.name}',\n")
    (folder / "dashboards.libsonnet").write_text("{\n" + "".join(imports) + "}\n")


main()
