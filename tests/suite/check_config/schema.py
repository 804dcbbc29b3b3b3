"""Validates YAML documents by a JSON Schema.

schema.py SCHEMA DOCUMENTS: both are JSON, DOCUMENTS a list of texts. Prints a list: for each document null, or its problem.
"""

import json
import re
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match


class Loader(yaml.SafeLoader):
    """YAML 1.2, as the exporter and editors read it: `off` is a text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))

schema = json.loads(Path(sys.argv[1]).read_text())
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
problems = []
for text in json.loads(Path(sys.argv[2]).read_text()):
    problem = best_match(validator.iter_errors(yaml.load(text, Loader)))
    problems.append(problem and problem.message)
print(json.dumps(problems))
