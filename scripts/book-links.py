"""A preprocessor of mdbook: adds the runbooks, and gives links that lead out of the book the address of the repository."""

import json
import re
import sys
from pathlib import Path
from posixpath import dirname, normpath, relpath

LINK = re.compile(r"\]\((\.\.?/[^)#]*)(#[^)]*)?\)")
RUNBOOKS = "alert-rules/runbooks"


def place(file):
    """Where a file of the repository is in the book, or None."""
    for folder, inside in (("docs/", ""), (RUNBOOKS + "/", "runbooks/")):
        if file.startswith(folder):
            return inside + file.removeprefix(folder)
    return "runbooks.md" if file == RUNBOOKS else None


def rewritten(text, file, repository):
    """The text of a file with links for its place in the book."""

    def link(found):
        target = normpath(f"{dirname(file)}/{found[1]}")
        inside = place(target)
        where = relpath(inside, dirname(place(file)) or ".") if inside else f"{repository}/blob/main/{target}"
        return f"]({where}{found[2] or ''})"

    return LINK.sub(link, text)


def chapter(name, text, path, parents, below):
    fields = {"name": name, "content": text, "number": None, "sub_items": below, "path": path, "source_path": None}
    return {"Chapter": fields | {"parent_names": parents}}


def runbooks(root, repository):
    """A page that lists the runbooks, with one page below it for each."""
    below, lines = [], []
    for file in sorted((root / RUNBOOKS).glob("*.md")):
        name = f"{RUNBOOKS}/{file.name}"
        text = rewritten(file.read_text(), name, repository)
        below.append(chapter(file.stem, text, place(name), ["Runbooks"], []))
        lines.append(f"- [{file.stem}](runbooks/{file.name})")
    return chapter("Runbooks", "# Runbooks\n\n" + "\n".join(lines) + "\n", "runbooks.md", [], below)


def main():
    # mdbook asks first whether the preprocessor serves the renderer.
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    repository = context["config"]["output"]["html"]["git-repository-url"]
    for item in book["items"]:
        if isinstance(item, dict) and "Chapter" in item:
            page = item["Chapter"]
            page["content"] = rewritten(page["content"], f"docs/{page['path']}", repository)
    book["items"].append(runbooks(Path(context["root"]), repository))
    json.dump(book, sys.stdout)


main()
