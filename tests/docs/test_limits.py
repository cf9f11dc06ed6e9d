#!/usr/bin/env python3
"""The sentences of docs/limits.md are those of the programs."""
import os
import re
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SOURCES = ("client", "compiler", "runtime", "text", "worker")


def literals():
    """Everything between quotation marks in the sources, neighbouring literals joined."""
    texts = []
    for folder in SOURCES:
        for place, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if name.endswith((".cpp", ".h")):
                    with open(os.path.join(place, name), encoding="utf-8") as file:
                        texts.append(re.sub(r'"\s*\n\s*"', "", file.read()))
    return "\n".join(texts)


class Limits(unittest.TestCase):
    def test_sentences_are_those_of_the_programs(self):
        with open(os.path.join(ROOT, "docs", "limits.md"), encoding="utf-8") as file:
            rows = [line.split("|") for line in file if line.startswith("| ")]
        cells = [row[4] for row in rows if len(row) == 6]
        sentences = [sentence for cell in cells for sentence in re.findall(r"`([^`]+)`", cell)]
        self.assertGreater(len(sentences), 15)
        sources = literals()
        for sentence in sentences:
            for part in re.split(r"\s*…\s*|'…'", sentence):
                if len(part) > 3:
                    self.assertIn(part.strip(" ';:"), sources, sentence)

    def test_codes_are_documented(self):
        with open(os.path.join(ROOT, "docs", "exit-codes.md"), encoding="utf-8") as file:
            known = set(re.findall(r"^\| (\d+) \|", file.read(), re.MULTILINE))
        with open(os.path.join(ROOT, "docs", "limits.md"), encoding="utf-8") as file:
            used = set(re.findall(r"\| (\d+) \| `", file.read()))
        self.assertTrue(used)
        self.assertLessEqual(used, known)


if __name__ == "__main__":
    unittest.main()
