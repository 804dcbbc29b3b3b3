"""Presses keys, as somebody does who keeps the list of jobs open."""

from browser import TASK, chromium, context, end, expect, watch_console

HOME = TASK["origin"] + "/"
FOCUSED = "() => document.activeElement.outerHTML.slice(0, 100)"
MARKED = "() => [...document.querySelectorAll('tr')].findIndex(it => it.classList.contains('marked'))"
NEVER_STORES = """Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"""


def is_in_search(page):
    return page.evaluate("() => document.activeElement.type === 'search'")


def marked(page):
    """The number of the marked row, from 1; -1 without one."""
    return page.evaluate(MARKED)


def move(page):
    page.goto(HOME)
    press = page.keyboard.press
    press("j")
    expect(marked(page) == 1, "j", "the first row is not marked")
    press("j")
    press("j")
    press("k")
    expect(marked(page) == 2, "k", f"row {marked(page)} is marked, wanted 2")
    for _ in range(40):
        press("j")
    rows = page.locator("tbody tr").count()
    expect(marked(page) == rows, "j at the end", f"row {marked(page)} of {rows}")
    in_view = page.locator("tr.marked").evaluate("it => it.getBoundingClientRect().bottom < innerHeight + 1")
    expect(in_view, "j at the end", "the marked row is out of sight")
    for _ in range(40):
        press("k")
    expect(marked(page) == 1, "k at the start", f"row {marked(page)} is marked")
    address = page.locator("tr.marked a").first.get_attribute("href")
    with page.expect_navigation():
        press("Enter")
    expect(page.url == TASK["origin"] + address, "Enter", f"{page.url}, wanted {address}")
    # Without focus on the row, too.
    page.go_back()
    press("j")
    page.evaluate("() => document.activeElement.blur()")
    with page.expect_navigation():
        press("Enter")
    expect(page.url == TASK["origin"] + address, "Enter without focus", page.url)


def go_to_search(page):
    page.goto(HOME)
    page.keyboard.press("/")
    expect(is_in_search(page), "/", page.evaluate(FOCUSED))
    page.keyboard.type("j/k?")
    field = page.get_by_role("searchbox")
    expect(field.input_value() == "j/k?", "keys in a field", f"it has {field.input_value()!r}")
    expect(marked(page) == -1 and not page.locator("dialog").is_visible(), "keys in a field", "they do more than type")
    page.get_by_role("combobox", name="State").focus()
    page.keyboard.press("j")
    expect(marked(page) == -1, "keys in a list of choices", "a row is marked")
    for held in ("Control", "Alt", "Meta"):
        page.goto(HOME)
        page.keyboard.press(f"{held}+j")
        page.keyboard.press(f"{held}+/")
        expect(marked(page) == -1 and not is_in_search(page), held, "a key with a modifier does something")
    # A page without a search field leads to the one that has it.
    page.goto(TASK["origin"] + TASK["job"])
    with page.expect_navigation():
        page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement.type === 'search'")


def ask_for_help(page):
    page.goto(HOME)
    dialog = page.get_by_role("dialog", name="Keys")
    page.keyboard.press("j")
    before = page.evaluate(FOCUSED)
    for close in ("?", "Escape", "Enter"):
        page.keyboard.press("?")
        expect(dialog.is_visible(), "?", "no help is shown")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        inside = page.evaluate("() => document.activeElement === document.body || !!document.activeElement.closest('dialog')")
        expect(inside, "Tab in the help", page.evaluate(FOCUSED))
        page.keyboard.press("j")
        expect(marked(page) == 1, "j in the help", "the mark moved")
        if close == "Enter":
            dialog.get_by_role("button", name="Close").focus()
        page.keyboard.press(close)
        expect(not dialog.is_visible(), close, "the help stays")
        expect(page.evaluate(FOCUSED) == before, close, f"focus on {page.evaluate(FOCUSED)}, wanted {before}")
    page.get_by_role("button", name="Keys").click()
    expect(dialog.is_visible(), "the button", "no help is shown")


def count_loads(page):
    loads = []
    page.on("request", lambda request: loads.append(request) if request.resource_type == "fetch" else None)
    return loads


def hide(page, is_hidden):
    page.evaluate(
        """is => {
          Object.defineProperty(document, 'hidden', {configurable: true, get: () => is});
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        is_hidden,
    )


def refreshed(page, act):
    """Acts, and waits until the page that was fetched then is shown."""
    page.evaluate("() => document.querySelector('main').classList.add('before')")
    act()
    page.wait_for_function("() => !document.querySelector('main.before')")


def refresh(page):
    page.clock.install()
    loads = count_loads(page)
    page.goto(HOME)
    page.clock.run_for(120_000)
    expect(not loads, "refresh", "the page is refreshed before anybody asked for it")
    switch = page.get_by_role("button", name="Auto-refresh")
    switch.click()
    expect(switch.get_attribute("aria-pressed") == "true", "refresh", "the switch is not pressed")
    page.set_viewport_size({"width": 1280, "height": 400})
    for _ in range(8):
        page.keyboard.press("j")
    page.locator("summary", has_text="More filters").click()
    page.keyboard.press("j")
    row = page.locator("tr.marked th").inner_text()
    focused, place = page.evaluate(FOCUSED), page.evaluate("() => scrollY")
    expect(place > 0, "refresh", "the page is not scrolled")
    refreshed(page, lambda: page.clock.run_for(31_000))
    expect(page.locator("tr.marked th").inner_text() == row, "refresh", "another row is marked")
    expect(page.evaluate(FOCUSED) == focused, "refresh", f"focus on {page.evaluate(FOCUSED)}, was on {focused}")
    expect(page.evaluate("() => scrollY") == place, "refresh", "the page moved")
    expect(page.locator("main details[open]").count() == 1, "refresh", "the filters closed")
    # Hidden, and seen again.
    count = len(loads)
    hide(page, True)
    page.clock.run_for(300_000)
    expect(len(loads) == count, "refresh", "a hidden page is refreshed")
    refreshed(page, lambda: (hide(page, False), page.clock.run_for(1_000)))
    # What somebody types stays.
    page.keyboard.press("/")
    page.keyboard.type("unf")
    count = len(loads)
    page.clock.run_for(65_000)
    expect(page.get_by_role("searchbox").input_value() == "unf", "refresh", "what was typed is lost")
    expect(len(loads) == count, "refresh", "a page is fetched while somebody types")
    page.evaluate("() => document.activeElement.blur()")
    # The exporter does not answer.
    page.route("**/*", lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_())
    page.clock.run_for(31_000)
    page.get_by_text("The refresh failed").wait_for()
    expect(page.locator("tbody tr").count() > 5, "refresh", "the page is lost with the connection")
    page.unroute("**/*")
    # It is remembered, and switched off.
    page.goto(HOME)
    expect(switch.get_attribute("aria-pressed") == "true", "refresh", "the switch is forgotten")
    switch.click()
    count = len(loads)
    page.clock.run_for(120_000)
    expect(len(loads) == count, "refresh", "the page is refreshed after it was switched off")


def choose_columns(page):
    page.goto(HOME)
    heading = page.get_by_role("columnheader", name="Team")
    expect(heading.is_visible(), "columns", "no column Team")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Team").uncheck()
    expect(not heading.is_visible(), "columns", "the column stays")
    page.goto(HOME + "?state=failing")
    expect(not heading.is_visible(), "columns", "the choice is forgotten")
    expect(page.locator("td.team:visible").count() == 0, "columns", "only the heading is hidden")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Team").check()
    expect(heading.is_visible(), "columns", "the column does not come back")
    for broken in ('"', '{"a": 1}', "[1, null, \"No such column\"]", "7"):
        page.evaluate("text => localStorage.setItem('columns of jobs', text)", broken)
        page.goto(HOME)
        expect(page.get_by_role("columnheader").count() == 9, "columns", f"some are hidden by {broken}")


def live_without_storage(browser):
    made = context(browser)
    made.add_init_script(NEVER_STORES)
    page = made.new_page()
    watch_console(page)
    page.goto(HOME)
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Team").uncheck()
    expect(not page.get_by_role("columnheader", name="Team").is_visible(), "without storage", "the column stays")
    page.get_by_role("button", name="Auto-refresh").click()
    page.keyboard.press("j")
    expect(marked(page) == 1, "without storage", "keys do nothing")
    made.close()


def main():
    with chromium() as browser:
        for check in (move, go_to_search, ask_for_help, refresh, choose_columns):
            made = context(browser)
            page = made.new_page()
            if check is not refresh:
                watch_console(page)
            check(page)
            made.close()
        live_without_storage(browser)
    end()


main()
