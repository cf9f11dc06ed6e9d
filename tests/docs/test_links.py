#!/usr/bin/env python3
"""Links between the project's pages lead somewhere: the file exists, and so does the heading."""
import os
import re
import sys
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages():
    for base, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "build"]
        for name in names:
            if name.endswith(".md"):
                yield os.path.join(base, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


def broken_links(page):
    for target in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
        if not os.path.exists(path):
            yield f"{target}: no such file"
        elif anchor and path.endswith(".md") and anchor not in anchors(read(path)):
            yield f"{target}: no such heading"


class Links(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        looked_at = list(pages())
        self.assertGreater(len(looked_at), 10)
        problems = [f"{os.path.relpath(page, ROOT)}: {problem}" for page in looked_at for problem in broken_links(page)]
        self.assertEqual(problems, [])

    def test_headings_become_anchors(self):
        self.assertEqual(anchors("# One `two`, three\n```\n# no\n```\n## The tracker's wire\n"),
                         {"one-two-three", "the-trackers-wire"})


if __name__ == "__main__":
    sys.exit(unittest.main())
