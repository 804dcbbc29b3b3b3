"""Loads every page in light and dark, on a desktop and on a phone, and looks for what keeps people from using it."""

import os
import re
from pathlib import Path

import axe_playwright_python

from browser import DESKTOP, PHONE, TASK, chromium, context, end, expect, problem, watch_console

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
ALL_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

# Light and dark differ in colours alone.
COLOR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

FIND_VIOLATIONS = """async rules => {
  const found = await axe.run(document, {runOnly: rules,
    rules: rules.type === 'tag' ? {'target-size': {enabled: true}} : {}, resultTypes: ['violations']});
  return found.violations.map(it => it.id + ': ' + it.help + ' (' + it.nodes.length + ')\\n' +
    it.nodes.slice(0, 4).map(node => '    ' + node.html.slice(0, 200) + '\\n      ' +
      node.any.concat(node.all).map(check => check.message).join('; ')).join('\\n'));
}"""

# A word of up to 16 letters is not broken, whatever the width of its column.
FIND_BROKEN_WORDS = """() => {
  const broken = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!element.checkVisibility() || element.closest('option, datalist, script')) continue;
    for (const word of node.data.matchAll(/(?<!\\S)\\p{Script=Latin}{2,16}(?!\\S)/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map(rect => Math.round(rect.top)));
      const isUpright = element.closest('.upright');
      if (lines.size > 1 && !isUpright) broken.push(word[0]);
    }
  }
  return broken;
}"""

STRUCTURE = """() => ({
  lang: document.documentElement.lang,
  headings: [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
    .filter(it => it.checkVisibility()).map(it => Number(it.tagName[1])),
  mains: document.querySelectorAll('main').length,
  nameless: [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
    .filter(it => !(it.textContent.trim() || it.getAttribute('aria-label') || it.getAttribute('aria-labelledby')
      || (it.labels && it.labels.length))).map(it => it.outerHTML.slice(0, 200)),
  scrolls: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  text: [...document.querySelector('main').children].filter(it => !it.matches('.columns'))
    .map(it => it.innerText).join('\\n'),
})"""

FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const style = getComputedStyle(it);
  const box = it.getBoundingClientRect();
  return {html: it.outerHTML.slice(0, 120), outline: style.outlineStyle, width: parseFloat(style.outlineWidth),
    inView: box.bottom > 0 && box.top < innerHeight};
}"""

# Presses of Tab on each page.
STOPS = 12

LOOKS = [
    ("light", "desktop", DESKTOP),
    ("dark", "desktop", DESKTOP),
    ("light", "phone", PHONE),
]


def load(page, entry):
    answer = page.goto(TASK["origin"] + TASK["prefix"] + entry["path"])
    if "press" in entry:
        with page.expect_navigation() as pressed:
            page.get_by_role("button", name=entry["press"]).click()
        answer = pressed.value
    return answer.status


def look_at_structure(found, where):
    expect(found["lang"] == "en", where, f"lang is {found['lang']!r}")
    expect(found["mains"] == 1, where, f"{found['mains']} elements main")
    headings = found["headings"]
    expect(headings[:1] == [1] and headings.count(1) == 1, where, f"headings {headings}, wanted one h1, first")
    for above, below in zip(headings, headings[1:]):
        expect(below <= above + 1, where, f"headings {headings} skip a level")
    for html in found["nameless"]:
        problem(where, f"a control without a name: {html}")
    expect(found["scrolls"] <= 0, where, f"the page scrolls sideways by {found['scrolls']} px")


def look_at_focus(page, where):
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            return
        is_seen = focused["outline"] != "none" and focused["width"] >= 2 and focused["inView"]
        expect(is_seen, where, f"no visible focus: {focused}")


def shoot(page, name, scheme, device):
    folder = TASK.get("screenshots")
    if folder:
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=os.path.join(folder, f"{name}-{device}-{scheme}.png"), full_page=True)


SPOIL = """() => {
  const main = document.querySelector('main');
  main.insertAdjacentHTML('beforeend', '<p class="faded">faded</p>' +
    '<p><img><a href="#a" class="tiny">a</a><a href="#b" class="tiny">b</a></p>');
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('.faded { color: #999; background: #aaa } .tiny { display: inline-block; width: 9px; height: 9px }');
  document.adoptedStyleSheets.push(sheet);
}"""


def look_at_the_rules(page):
    """The rules find what is put onto a page: a picture without words, small targets, low contrast."""
    page.evaluate(SPOIL)
    found = {violation.partition(":")[0] for violation in page.evaluate(FIND_VIOLATIONS, ALL_RULES)}
    expect({"image-alt", "target-size", "color-contrast"} <= found, "the rules", f"only {found} were found")


def look_without_script(browser, texts):
    """The same text without JavaScript, and a search that finds."""
    made = context(browser, java_script_enabled=False)
    page = made.new_page()
    for entry in TASK["pages"]:
        load(page, entry)
        text = page.locator("main").inner_text()
        lost = [line for line in lines(texts[entry["name"]]) if line not in lines(text)]
        more = [line for line in lines(text) if line not in lines(texts[entry["name"]])]
        expect(not lost, entry["name"], f"not there without JavaScript: {lost}")
        expect(not more, entry["name"], f"there only without JavaScript: {more}")
    page.goto(TASK["origin"] + TASK["prefix"] + "/")
    page.get_by_role("searchbox").fill("flaky browser")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("tbody tr").count() == 1, "search without JavaScript", page.locator("main").inner_text())
    made.close()


def lines(text):
    """Without figures, and without what passes with time."""
    kept = [line for line in text.splitlines() if not any(word in line for word in PASSING)]
    return [re.sub(r"[\d.]+", "#", line.strip()) for line in kept if line.strip()]


PASSING = ["As of", " ago", "running for", "for a runner for", "again in ", "any moment", "just now", "requests"]


def look_at_titles(titles):
    """Two pages have one title only if they are one page with other parameters, or of one form."""
    for title, entries in titles.items():
        places = {entry["path"].partition("?")[0] for entry in entries}
        expect(len(places) == 1, ", ".join(places), f"the title {title!r} is of several pages")


def main():
    texts, titles = {}, {}
    with chromium() as browser:
        for scheme, device, viewport in LOOKS:
            made = context(browser, viewport=viewport, color_scheme=scheme)
            page = made.new_page()
            watch_console(page)
            for entry in TASK["pages"]:
                where = f"{entry['name']} ({device}, {scheme})"
                status = load(page, entry)
                expect(status == entry["status"], where, f"status {status}, wanted {entry['status']}")
                shoot(page, entry["name"], scheme, device)
                found = page.evaluate(STRUCTURE)
                look_at_structure(found, where)
                for word in page.evaluate(FIND_BROKEN_WORDS):
                    problem(where, f"the word {word!r} is broken")
                page.evaluate(AXE)
                rules = ALL_RULES if scheme == "light" else COLOR_RULES
                for violation in page.evaluate(FIND_VIOLATIONS, rules):
                    problem(where, violation)
                if scheme == "light":
                    look_at_focus(page, where)
                texts.setdefault(entry["name"], found["text"])
                titles.setdefault(page.title(), []).append(entry)
            if scheme == "light":
                look_at_the_rules(page)
            made.close()
        look_without_script(browser, texts)
    look_at_titles(titles)
    end()


main()
