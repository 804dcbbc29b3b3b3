#!/usr/bin/env python3
"""Stands in for Grafana and for the receiver in scripts/test-compose.sh, where no registry of images can be reached.

As `grafana` it reads the provisioning as Grafana does, and answers what the test asks Grafana. As `receiver` it prints bodies.
"""

import http.server
import json
import pathlib
import sys
import urllib.request

import yaml

PROVISIONING = pathlib.Path("/etc/grafana/provisioning")


def provisioned(kind):
    files = sorted((PROVISIONING / kind).glob("*.y*ml"))
    return [yaml.safe_load(file.read_text()) for file in files]


def dashboards():
    for file in provisioned("dashboards"):
        for provider in file["providers"]:
            for path in pathlib.Path(provider["options"]["path"]).rglob("*.json"):
                board = json.loads(path.read_text())
                yield {"title": board["title"], "uid": board["uid"], "folderTitle": provider["folder"]}


def datasource_health():
    (source,) = [source for file in provisioned("datasources") for source in file["datasources"]]
    with urllib.request.urlopen(source["url"] + "/api/v1/query?query=1", timeout=5) as answer:
        return {"status": "OK" if json.load(answer)["status"] == "success" else "ERROR"}


ANSWERS = {
    "/api/health": lambda: {"database": "ok"},
    "/api/search": lambda: list(dashboards()),
    "/api/datasources/uid/prometheus/health": datasource_health,
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = ANSWERS.get(self.path.partition("?")[0])
        self.reply(200 if answer else 404, answer() if answer else {})

    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.reply(200, {})

    def reply(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


port = {"grafana": 3000, "receiver": 8080}[sys.argv[1]]
http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()
