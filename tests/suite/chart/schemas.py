"""Checks Kubernetes objects against the schemas of Kubernetes and of the Prometheus operator. Unknown fields are mistakes.

    schemas.py FOLDER OBJECTS

FOLDER has the operator's schemas, by kind. OBJECTS is a list of objects, each with the mode that made it.
"""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate

# The oldest version that the chart allows, and the newest one with schemas.
VERSIONS = ["1.25", kubernetes_validate.latest_version()]

operator = {path.stem: jsonschema.Draft202012Validator(json.loads(path.read_text())) for path in Path(sys.argv[1]).glob("*.json")}
problems, checked = [], set()
for item in json.loads(Path(sys.argv[2]).read_text()):
    thing = item["object"]
    name = f"{item['mode']}: {thing['kind']} {thing['metadata']['name']}"
    # Equal objects of several modes are checked once.
    text = json.dumps(thing, sort_keys=True)
    if text in checked:
        continue
    checked.add(text)
    if thing["apiVersion"].startswith("monitoring.coreos.com/"):
        errors = operator[thing["kind"]].iter_errors(thing)
        problems += [f"{name}: {error.json_path}: {error.message[:300]}" for error in errors]
        continue
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{name}, Kubernetes {version}: {error.json_path}: {error.message[:300]}")
if problems:
    sys.exit("\n".join(problems))
