"""Follows every link of the pages below a path, and acts there."""

from urllib.parse import unquote, urlsplit

from browser import TASK, chromium, context, end, expect, problem, watch_console

BASE = TASK["origin"] + TASK["prefix"]

ADDRESSES = """() => [...document.querySelectorAll('[href], [src], form[action]')]
  .map(it => new URL(it.getAttribute('href') ?? it.getAttribute('src') ?? it.getAttribute('action'), document.baseURI).href)
  .filter(it => it.startsWith(location.origin))"""


def main():
    with chromium() as browser:
        made = context(browser)
        page = made.new_page()
        watch_console(page)
        links = set()
        for entry in TASK["pages"]:
            answer = page.goto(BASE + entry["path"])
            expect(answer.status == entry["status"], entry["name"], f"status {answer.status}")
            styled = page.evaluate("() => getComputedStyle(document.body).marginTop === '0px'")
            expect(styled, entry["name"], "the style sheet is missing")
            for address in page.evaluate(ADDRESSES):
                if address.startswith(BASE + "/"):
                    links.add(address.partition("#")[0])
                else:
                    problem(entry["name"], f"a link outside {BASE}/: {address}")
        expect(len(links) > 10, "links", f"only {len(links)} were found")
        for address in sorted(links):
            if urlsplit(address).path.endswith("/actions/retry"):
                continue
            status = page.request.get(address).status
            expect(status == 200, address, f"status {status}")
        follow(page)
        act(made, page)
        made.close()
    end()


def follow(page):
    """By keys, by a form and by the script's own requests."""
    page.goto(BASE + TASK["job"])
    with page.expect_navigation():
        page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement.type === 'search'")
    page.keyboard.type("flaky")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.url.startswith(BASE + "/?q=flaky"), "search", page.url)
    expect(page.locator("tbody tr").count() == 1, "search", page.locator("main").inner_text())


def act(made, page):
    made.clear_cookies()
    page.goto(BASE + TASK["job"])
    paths = [it["path"] for it in made.cookies()]
    expect(paths == [TASK["prefix"] + "/"], "the cookie", f"paths {paths}")
    with page.expect_navigation() as sent:
        page.get_by_role("button", name="Retry the job").click()
    expect(sent.value.status == 200, "the button", f"status {sent.value.status}: {page.content()}")
    page.get_by_role("link", name="Back to the job").click()
    expect(unquote(page.url) == unquote(BASE + TASK["job"]), "the way back", page.url)


main()
