#!/usr/bin/env python3
"""Writes values.schema.json and README.md of the chart from the comments of its values.yaml.

`# --` begins the description of the value below it, and further comment lines continue it. `# @schema` adds to its schema, as
JSON. `# @section` describes a section of described values. Needs PyYAML. `make chart` calls this.

    chart-docs.py VALUES FOLDER
"""

import json
import re
import sys
from pathlib import Path

import yaml

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
KEY = re.compile(r"( *)([A-Za-z0-9_]+):")


def comments(text):
    """Descriptions and additions to schemas by the path of the value, and descriptions of sections."""
    described, sections, path, words, extra, section = {}, {}, [], [], {}, ""
    for line in text.splitlines():
        comment = line.strip()
        if comment.startswith("# -- "):
            words, extra = [comment[5:]], {}
        elif comment.startswith("# @section "):
            section = comment[11:]
        elif comment.startswith("# @schema "):
            extra = json.loads(comment[10:])
        elif comment.startswith("# ") and words:
            words.append(comment[2:])
        elif found := KEY.match(line):
            path = [*path[: len(found[1]) // 2], found[2]]
            if words:
                described[tuple(path)] = (" ".join(words), extra)
            if section:
                sections[tuple(path)] = section
            words, extra, section = [], {}, ""
    return described, sections


def schema(value, path, described, sections):
    """The schema of a value. Sections are closed."""
    if path in described:
        description, extra = described[path]
        return {"description": description, "type": TYPES[type(value)], **extra}
    if path not in sections:
        sys.exit(f"values.yaml: {'.'.join(path)} has no description; write one above it: # -- .. or # @section ..")
    properties = {key: schema(one, (*path, key), described, sections) for key, one in value.items()}
    return {"description": sections[path], "type": "object", "additionalProperties": False, "properties": properties}


def rows(values, described):
    """A row of the table for each described value."""
    for path, (description, extra) in described.items():
        value = values
        for key in path:
            value = value[key]
        if "enum" in extra:
            description += " One of " + ", ".join(f"`{one}`" for one in extra["enum"]) + "."
        default = json.dumps(value, separators=(", ", ": ")).replace("|", "\\|")
        yield f"| `{'.'.join(path)}` | `{default}` | {description} |"


def main(values, folder):
    """Writes both files."""
    text = Path(values).read_text()
    parsed = yaml.safe_load(text)
    described, sections = comments(text)
    sections[()] = "Values of job-failure-exporter."
    whole = schema(parsed, (), described, sections)
    whole["properties"]["global"] = {"description": "Values of a parent chart. Not used.", "type": "object"}
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", **whole, "required": ["config"]}
    folder = Path(folder)
    (folder / "values.schema.json").write_text(json.dumps(whole, indent=2) + "\n")
    chart = yaml.safe_load((Path(values).parent / "Chart.yaml").read_text())
    head = (Path(values).parent / "README.head.md").read_text()
    table = ["| value | default | meaning |", "| --- | --- | --- |", *rows(parsed, described)]
    title = f"# {chart['name']} {chart['version']}\n\n{chart['description']}.\n\n"
    (folder / "README.md").write_text(title + head + "\n" + "\n".join(table) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: chart-docs.py VALUES FOLDER")
    main(sys.argv[1], sys.argv[2])
