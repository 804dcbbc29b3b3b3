"""Holds docs/openapi.yml to a running exporter: `check.py <file> <url> <token of a caller> <copy>`.

Paths, parameters and their values are read from the refusals of the exporter, which name what is possible. Every answer is
validated without tolerance for unknown fields. Writes a copy of the file whose examples are names of this exporter.
"""

import base64
import copy
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

file, base, token, copied = sys.argv[1:]
spec = yaml.safe_load(open(file, encoding="utf-8"))
problems = []


def check(holds, message):
    if not holds:
        problems.append(message)


def ask(path, query=(), method="GET", body=None, headers=()):
    url = base + path + ("?" + urllib.parse.urlencode(list(query)) if query else "")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def resolved(node):
    while "$ref" in node:
        found = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def parameters(operation):
    return [resolved(it) for it in operation.get("parameters", [])]


def strict(node):
    """The same schema, in which objects have no other fields than those that are described."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        node.setdefault("additionalProperties", False)
    return node


def error_of(path, query):
    status, headers, text = ask(path, query)
    check(status == 400, f"{path} {query}: {status}, not 400")
    check(headers["Content-Type"] == "application/json", f"{path} {query}: {headers['Content-Type']}")
    return json.loads(text)["error"]


def check_paths():
    status, _, text = ask("/api/v1/nothing")
    check(status == 404, f"an unknown path: {status}")
    served = set(json.loads(text)["error"].split("wanted one of: ")[1].split(", "))
    described = {path for path in spec["paths"] if path.startswith("/api/")}
    check(served == described, f"paths served and not described, or the reverse: {served ^ described}")
    for path, item in spec["paths"].items():
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"]:
            status, headers, _ = ask(path, method=method)
            is_described = method.lower() in item
            check((status != 405) == is_described, f"{method} {path}: {status}")
            check(status != 405 or headers["Allow"], f"{method} {path}: 405 without Allow")


def check_parameters(path, operation, required):
    known = {it["name"] for it in parameters(operation)}
    error = error_of(path, required + [("no_such_parameter", "1")])
    wanted = re.search(r"wanted (.*)$", error).group(1)
    wanted = set() if wanted == "none" else set(re.split(r", | and ", wanted))
    check(known == wanted, f"{path}: the parameters {known ^ wanted} are known on one side only")
    for it in parameters(operation):
        values = it["schema"].get("enum")
        if values:
            others = [pair for pair in required if pair[0] != it["name"]]
            error = error_of(path, others + [(it["name"], "no-such-value")])
            possible = error.split("one of these is wanted: ")[1].split(", ")
            described = [value for value in values if value != ""]
            check(possible == described, f"{path} {it['name']}: {possible} are possible, {described} described")


def validator(name_or_schema):
    schema = dict(strict(name_or_schema))
    return Draft202012Validator({**schema, "components": strict(spec["components"])})


def check_answer(path, method, operation, answer):
    status, headers, text = answer
    response = operation["responses"].get(str(status), operation["responses"].get("default"))
    response = resolved(response)
    kind = headers["Content-Type"].split(";")[0]
    check(kind in response["content"], f"{method} {path}: {status} {kind} is not described")
    if kind != "application/json":
        return
    schema = response["content"][kind]["schema"]
    for error in list(validator(schema).iter_errors(json.loads(text)))[:5]:
        problems.append(f"{method} {path}: {error.json_path}: {error.message[:300]}")


def check_answers(names):
    for path, item in spec["paths"].items():
        operation = item.get("get")
        if operation is None:
            continue
        required = [(it["name"], names[it["name"]]) for it in parameters(operation) if it.get("required")]
        if path.startswith("/api/"):
            if operation["operationId"] not in ["listRemediations", "getStatus", "getOpenApi"]:
                check_parameters(path, operation, required)
            else:
                error_of(path, [("no_such_parameter", "1")])
        answer = ask(path, required)
        check(answer[0] == 200, f"{path}: {answer[0]}")
        check_answer(path, "get", operation, answer)
        if path.startswith("/api/"):
            check_answer(path, "get", operation, ask(path + "x", required))


def check_lists(names):
    """Every list has the same frame."""
    for path in ["jobs", "projects", "schedules", "grid", "pipelines"]:
        required = [("project", names["project"]), ("ref", names["ref"])] if path in ["grid", "pipelines"] else []
        listed = json.loads(ask(f"/api/v1/{path}", required)[2])
        for field in ["as_of_timestamp_seconds", "offset", "limit", "matching", "total"]:
            check(isinstance(listed[field], int), f"{path} has no {field}")
        rows = listed["jobs" if path == "grid" else path]
        check(len(rows) > 0, f"{path} has no row to validate")
        check(listed["matching"] <= listed["total"], f"{path}: more rows match than there are")


def check_actions(names):
    bodies = {
        "/api/v1/retry": {"jobs": [{"project": names["project"], "ref": names["ref"], "job_name": names["job"]}]},
        "/api/v1/circuits/reset": {"project": names["project"], "ref": names["ref"], "job_name": names["job"]},
        "/api/v1/remediations/halt": {"halted": False},
    }
    authorized = [("Authorization", f"Bearer {token}")]
    basic = base64.b64encode(b"nobody:wrong").decode()
    for path, item in spec["paths"].items():
        for method in set(item) & {"put", "post"}:
            operation = item[method]
            name = method.upper()
            for body, headers, wanted in [
                (bodies[path], authorized, 200),
                ({"no_such_field": 1}, authorized, 400),
                (bodies[path], [], 401),
                (bodies[path], [("Authorization", f"Basic {basic}")], 401),
            ]:
                answer = ask(path, [], name, body, headers)
                check(answer[0] == wanted, f"{name} {path} {body}: {answer[0]}, not {wanted}: {answer[2]}")
                check_answer(path, name, operation, answer)


def write_copy(names):
    """Examples of the file are those of the docs; these are of this exporter."""
    with_names = copy.deepcopy(spec)
    for name in ["project", "ref", "job_name"]:
        with_names["components"]["parameters"][name]["example"] = names[name]
    with open(copied, "w", encoding="utf-8") as out:
        yaml.safe_dump(with_names, out, sort_keys=False)


validate(spec)
first = json.loads(ask("/api/v1/jobs", [("state", "failing")])[2])["jobs"][0]
names = {"project": first["project"], "ref": first["ref"], "job": first["job_name"], "job_name": first["job_name"], "track": ""}
check(ask("/api/v1/openapi.yml")[2] == open(file, encoding="utf-8").read(), "another file is served")
check_paths()
check_answers(names)
check_lists(names)
check_actions(names)
write_copy(names)
if problems:
    sys.exit("\n".join(problems))
