"""A preprocessor of mdbook: links that lead out of docs/ get the address of the repository."""

import json
import re
import sys

OUTSIDE = re.compile(r"\]\((\.\./[^)]*)\)")


def rewritten(node, tree):
    chapter = node.get("Chapter") if isinstance(node, dict) else None
    if not chapter:
        return
    # `../a` of a page in docs/ is `a` in the repository.
    chapter["content"] = OUTSIDE.sub(lambda it: f"]({tree}/{it[1][3:]})", chapter["content"])
    for item in chapter["sub_items"]:
        rewritten(item, tree)


def main():
    # mdbook asks first whether the preprocessor serves the renderer.
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    repository = context["config"]["output"]["html"]["git-repository-url"]
    for item in book["items"]:
        rewritten(item, f"{repository}/blob/main")
    json.dump(book, sys.stdout)


main()
