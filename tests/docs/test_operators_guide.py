#!/usr/bin/env python3
"""The operator's guide says what the programs do: the table of options is the program's own, the sample configurations
hold options that there are, and every metric has its line."""
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
GUIDE = os.path.join(ROOT, "docs", "operators-guide.md")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def options_table():
    return subprocess.run([os.environ["HONE_SERVER_PROGRAM"], "options", "--markdown"], capture_output=True, text=True,
                          timeout=60, check=True).stdout.strip()


def metrics_of_code():
    """Names in the sources that make metrics: hone_… with a unit or _total, as Prometheus wants them."""
    names = set()
    folder = os.path.join(ROOT, "server", "admin")
    for name in os.listdir(folder):
        if name.endswith((".cpp", ".h")):
            names.update(re.findall(r'"(hone_[a-z_]+)"', read(os.path.join(folder, name))))
    return names


class OperatorsGuide(unittest.TestCase):
    def test_table_of_options_is_the_programs(self):
        begin, end = "<!-- hone-server options --markdown -->\n", "\n<!-- end of options -->"
        text = read(GUIDE)
        table = text[text.index(begin) + len(begin):text.index(end)].strip()
        wanted = options_table()
        self.assertIn("--data", wanted.replace("`data`", "--data"))
        self.assertEqual(table, wanted, "paste what `hone-server options --markdown` prints between the marks")

    def test_every_metric_has_its_line_and_every_line_its_metric(self):
        names = metrics_of_code()
        self.assertGreater(len(names), 10)
        cells = re.findall(r"^\| (`hone_[^|]*) \|", read(GUIDE), re.MULTILINE)
        self.assertEqual({name for cell in cells for name in re.findall(r"`(\w+)`", cell)}, names)

    def test_failure_table_is_long_enough_to_help(self):
        section = read(GUIDE).split("## When something is wrong")[1]
        self.assertGreater(len(re.findall(r"^\| ", section, re.MULTILINE)), 20)


if __name__ == "__main__":
    sys.exit(unittest.main())
