#!/usr/bin/env python3
"""Writes the licence notices and the SBOM (CycloneDX) of the crates in the binary, from `cargo metadata` and their sources.

notices.py TARGET DIRECTORY: writes THIRD-PARTY-NOTICES.txt and sbom.cdx.json there. SOURCE_DATE_EPOCH is the time in the SBOM.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent
NAME = "job-failure-exporter"
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)
RULE = "=" * 80


def crates_of(target):
    """The crates that the binary is linked from, by id, the ids that each depends on, and the id of the exporter."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target]
    told = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    root = next(id for id in told["workspace_members"] if packages[id]["name"] == NAME)
    edges, queue = {}, [root]
    while queue:
        id = queue.pop()
        if id not in edges:
            is_normal = lambda dep: any(kind["kind"] is None for kind in dep["dep_kinds"])
            edges[id] = [dep["pkg"] for dep in nodes[id]["deps"] if is_normal(dep)]
            queue += edges[id]
    crates = {id: packages[id] for id in edges}
    return dict(sorted(crates.items(), key=lambda it: (it[1]["name"], it[1]["version"]))), edges, root


def licence(crate):
    """Its SPDX expression; some crates still write a slash for `OR`."""
    return (crate["license"] or "").replace("/", " OR ")


def texts(crate):
    folder = Path(crate["manifest_path"]).parent
    # Libraries in C that a crate brings along have their own folder, such as `jemalloc`.
    files = sorted([*folder.iterdir(), *folder.glob("*/*")])
    files = [file for file in files if file.is_file() and LICENCE_FILE.match(file.name)]
    return [file.read_text(errors="replace").replace("\r\n", "\n").strip() for file in files]


def notices(crates):
    """Each licence text once, below the crates that have it."""
    owners, without = {}, []
    for crate in crates:
        label = f'{crate["name"]} {crate["version"]} ({licence(crate)})'
        found = texts(crate)
        for text in found:
            owners.setdefault(text, []).append(label)
        if not found:
            without.append((label, crate))
    for label, crate in without:
        if "Apache-2.0" not in licence(crate) and not (crate["authors"] or crate["repository"]):
            sys.exit(f"{label}: the crate has no licence text and no author. Add its text by hand.")
    parts = [f"{NAME} is licensed under the Apache License 2.0 (LICENSE). It contains the crates below."]
    if without:
        lines = [f'{label}, by {", ".join(crate["authors"]) or crate["repository"]}' for label, crate in without]
        parts.append("\n".join(["These crates contain no licence text. The texts of their licences stand below:", *lines]))
    parts += ["\n".join([*labels, "", text]) for text, labels in owners.items()]
    return f"\n\n{RULE}\n".join(parts) + "\n"


def sbom(crates, edges, root, target):
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(it["name"], it["version"]): it.get("checksum") for it in lock["package"]}
    factory, components = LicenseFactory(), {}
    for id, crate in crates.items():
        name, version = crate["name"], crate["version"]
        checksum = checksums[name, version]
        purl = PackageURL("cargo", name=name, version=version)
        components[id] = Component(
            name=name,
            version=version,
            type=ComponentType.APPLICATION if id == root else ComponentType.LIBRARY,
            bom_ref=str(purl),
            purl=purl,
            licenses=[factory.make_from_string(licence(crate))] if licence(crate) else [],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        )
    bom = Bom(components=[it for id, it in components.items() if id != root])
    bom.metadata.component = components[root]
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    # The same crates have the same number.
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{target} {json.dumps([str(it.purl) for it in components.values()])}")
    for id, component in components.items():
        bom.register_dependency(component, [components[other] for other in edges[id]])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem:
        sys.exit(f"The SBOM is not valid: {problem}")
    return text + "\n"


def main():
    target, directory = sys.argv[1], Path(sys.argv[2])
    crates, edges, root = crates_of(target)
    others = [crate for crate in crates.values() if crate["source"]]
    (directory / "THIRD-PARTY-NOTICES.txt").write_text(notices(others))
    (directory / "sbom.cdx.json").write_text(sbom(crates, edges, root, target))
    print(f"{len(others)} crates: licence notices and SBOM", file=sys.stderr)


main()
