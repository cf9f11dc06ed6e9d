#!/usr/bin/env python3
"""Writes compiler/frontend/onnx/operator_versions.cpp from the newest onnx package, or compares the two.

    pip install onnx
    scripts/operator_versions.py --update    # write the file
    scripts/operator_versions.py             # exit code 1 and a sentence for every difference

A version that the package has and the file does not is a change of an operator that nobody has looked at yet: read it
against the operator's function, then raise the row's last version in operators.cpp.
"""
import argparse
import pathlib
import re
import sys

import onnx.defs

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "compiler/frontend/onnx"
FILE = FOLDER / "operator_versions.cpp"
HEAD = """// Written by scripts/operator_versions.py --update from the package onnx; a test compares it with the newest one.
#include <algorithm>
#include <iterator>

#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

constexpr int kMostVersions = %d;

struct Versions {
  std::string_view name;
  int64_t count;
  int64_t versions[kMostVersions];
};

constexpr Versions kVersions[] = {
"""
TAIL = """};

}  // namespace

std::span<const int64_t> operatorVersions(std::string_view name) {
  const auto *found = std::lower_bound(std::begin(kVersions), std::end(kVersions), name,
                                       [](const Versions &row, std::string_view key) { return row.name < key; });
  if (found == std::end(kVersions) || found->name != name) return {};
  return {found->versions, static_cast<size_t>(found->count)};
}

}  // namespace hone::frontend
"""


def known():
    """The versions of every operator of ONNX's own domain, by name."""
    versions = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            versions.setdefault(schema.name, set()).add(schema.since_version)
    return {name: sorted(versions[name]) for name in sorted(versions)}


def written():
    """The same as the file has it."""
    rows = re.findall(r'\{"(\w+)", \d+, \{([\d, ]+)\}\}', FILE.read_text(encoding="utf-8"))
    return {name: [int(version) for version in versions.split(",")] for name, versions in rows}


def update(versions):
    most = max(len(row) for row in versions.values())
    rows = [f'    {{"{name}", {len(row)}, {{{", ".join(map(str, row))}}}}},\n' for name, row in versions.items()]
    FILE.write_text(HEAD % most + "".join(rows) + TAIL, encoding="utf-8")


def differences(versions):
    listed = written()
    for name, row in versions.items():
        unknown = sorted(set(row) - set(listed.get(name, [])))
        if unknown:
            yield f"{name}: onnx {onnx.__version__} has versions {unknown} that operator_versions.cpp does not know"
    for name, row in listed.items():
        gone = sorted(set(row) - set(versions.get(name, [])))
        if gone:
            yield f"{name}: operator_versions.cpp has versions {gone} that onnx {onnx.__version__} does not know"
    newest = int(re.search(r"kNewestOpset = (\d+)", (FOLDER / "operators.h").read_text(encoding="utf-8")).group(1))
    if newest != onnx.defs.onnx_opset_version():
        yield f"onnx {onnx.__version__} is at opset {onnx.defs.onnx_opset_version()}, kNewestOpset in operators.h is {newest}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the file")
    if parser.parse_args().update:
        update(known())
        return 0
    found = list(differences(known()))
    for sentence in found:
        print(sentence)
    if not found:
        print(f"operator_versions.cpp agrees with onnx {onnx.__version__}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
