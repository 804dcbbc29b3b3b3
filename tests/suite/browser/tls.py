"""Retries a job by its button over TLS, and lets another site try the same."""

from urllib.parse import unquote

from browser import TASK, chromium, context, end, expect, watch_console

JOB = TASK["origin"] + TASK["job"]
EVIL = "https://evil.example/"


def cookies(made):
    return [it for it in made.cookies() if it["name"] == "job_failure_exporter_forms"]


def fields_of(page):
    """The fields of the form as they are on the page."""
    return page.locator("form.actions input[type=hidden]").evaluate_all("all => all.map(it => [it.name, it.value])")


def forge(page, fields):
    """Loads a page of another site that sends the form, and returns the exporter's answer."""
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields)
    form = f'<form method="post" action="{TASK["origin"]}/actions/retry">{inputs}<button>Win</button></form>'
    page.route(EVIL, lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto(EVIL)
    with page.expect_navigation() as sent:
        page.get_by_role("button").click()
    return sent.value


def main():
    with chromium() as browser:
        made = context(browser, also=[EVIL], ignore_https_errors=True)
        page = made.new_page()
        watch_console(page)
        page.goto(JOB)
        found = cookies(made)
        expect(len(found) == 1, "the cookie", f"{len(found)} of them")
        for cookie in found:
            is_safe = cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict"
            expect(is_safe and cookie["path"] == "/", "the cookie", cookie)
        readable = page.evaluate("() => document.cookie")
        expect(readable == "", "the cookie", f"scripts read {readable!r}")
        # Every field is right, the token and the password of the browser included.
        fields = [*fields_of(page), ["action", "recover"]]
        other = made.new_page()
        answer = forge(other, fields)
        expect(answer.status == 403, "a forged form", f"status {answer.status}")
        expect("another site" in other.content(), "a forged form", other.content())
        other.close()
        with page.expect_navigation() as sent:
            page.get_by_role("button", name="Retry the job").click()
        expect(sent.value.status == 200, "the button", f"status {sent.value.status}")
        text = page.locator("main").inner_text()
        expect("started, as job" in text, "the button", text)
        page.get_by_role("link", name="Back to the job").click()
        expect(unquote(page.url) == unquote(JOB), "the way back", page.url)
        made.close()
    end()


main()
