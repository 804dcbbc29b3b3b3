"""One Chromium for all checks of a script, and the reports of what it finds.

A script reads its task as JSON from standard input, prints a line for each problem, and ends with 1 if there was one.
"""

import json
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

TASK = json.load(sys.stdin)
problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")
    print(problems[-1], flush=True)


def expect(condition, where, what):
    if not condition:
        problem(where, what)


@contextmanager
def chromium():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=TASK["chromium"], args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


def context(browser, also=(), **options):
    """A context whose requests go to the exporter, and to no other address than those of `also`."""
    options.setdefault("viewport", DESKTOP)
    options.setdefault("http_credentials", {"username": "ops", "password": TASK["password"]})
    made = browser.new_context(**options)
    made.set_default_timeout(10_000)
    own = TASK["origin"]

    def look(request):
        parts = urlsplit(request.url)
        is_own = f"{parts.scheme}://{parts.netloc}" == own
        if parts.scheme != "data" and not is_own and request.url not in also:
            problem(request.url, "a request to another host")

    made.on("request", look)
    return made


def watch_console(page):
    """Reports errors of the page: of scripts, and of what the content security policy blocks."""

    def on_message(message):
        # Chromium reports the status of the page itself as an error, too.
        is_own_status = message.location["url"] == page.url and "status of 4" in message.text
        if message.type in ("error", "warning") and not is_own_status:
            problem(page.url, f"console: {message.text}")

    page.on("console", on_message)
    page.on("pageerror", lambda error: problem(page.url, f"script: {error}"))


def end():
    print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)
