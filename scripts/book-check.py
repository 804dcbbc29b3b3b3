"""Checks that the links of a built book lead to a page of it and to a heading there: book-check.py FOLDER."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "img":
            self.links.append(attrs["src"])


def problems(folder):
    pages = {path: Page(path) for path in folder.rglob("*.html") if path.name not in ("print.html", "toc.html", "404.html")}
    if len(pages) < 10:
        yield f"{folder} has only {len(pages)} pages"
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme:
                continue
            target = path if not url.path else path.parent / unquote(url.path)
            if not target.exists():
                yield f"{path.name}: {link} leads nowhere"
            elif url.fragment and target in pages and unquote(url.fragment) not in pages[target].ids:
                yield f"{path.name}: {link} leads to no heading"


found = list(problems(Path(sys.argv[1])))
print("\n".join(found) or "All links of the book lead somewhere.")
sys.exit(bool(found))
