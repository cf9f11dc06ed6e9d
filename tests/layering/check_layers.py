#!/usr/bin/env python3
"""Checks the arrows between folders: includes, links, words that a folder must not know, paths that lead outside.

Prints one line per violation and exits with 1 if there is any. The rules are the tables below; docs/architecture.md
explains them.
"""
import argparse
import os
import re
import sys

# What every folder may include: it includes nothing of ours.
TEXT = "text"
# folder -> folders of ours that it may include and link, besides itself and TEXT.
COMPILER = ["compiler/base", "compiler/tensor", "compiler/graph", "compiler/plan", "compiler/schedule", "compiler/loop", "compiler/estimate",
            "compiler/codegen", "compiler/frontend/build", "compiler/frontend/onnx", "compiler/samples", "compiler/artifact", "compiler/driver"]
ALLOWED = {
    TEXT: [],
    "abi": [],
    "runtime": ["abi"],
    "compiler/base": [],
    "compiler/tensor": ["compiler/base"],
    "compiler/graph": ["compiler/base", "compiler/tensor"],
    "compiler/plan": ["compiler/base", "compiler/tensor", "compiler/graph"],
    "compiler/schedule": ["compiler/base", "compiler/tensor"],
    "compiler/loop": ["compiler/base", "compiler/tensor", "compiler/schedule"],
    "compiler/estimate": ["compiler/base", "compiler/tensor", "compiler/schedule", "compiler/loop"],
    "compiler/codegen": ["abi", "compiler/base", "compiler/tensor", "compiler/schedule", "compiler/loop"],
    "compiler/frontend/build": ["compiler/base", "compiler/tensor", "compiler/graph"],
    "compiler/frontend/onnx": ["compiler/base", "compiler/tensor", "compiler/graph", "compiler/frontend/build"],
    "compiler/samples": ["compiler/base"],
    "compiler/artifact": ["abi", "compiler/base", "compiler/tensor"],
    "compiler/driver": ["abi"] + COMPILER,
    "measure": ["abi", "runtime"] + COMPILER,
    "common": [],
    "proto": [],
    "server/base": ["common", "proto"],
    "server/store": ["common", "proto", "server/base"],
    "server/kinds": ["common", "proto", "server/base", "server/store"],
    "server/engine": ["common", "proto", "server/base", "server/store", "server/kinds"],
    "server/tracker": ["common", "proto", "server/base", "server/store", "server/kinds", "server/engine"],
    "server/admin": ["common", "proto", "server/base", "server/store", "server/kinds", "server/engine"],
    "server/rpc": ["common", "proto", "server/base", "server/store", "server/kinds", "server/engine"],
    "server": ["common", "proto", "server/base", "server/store", "server/kinds", "server/engine", "server/tracker", "server/admin",
               "server/rpc"],
    "worker/kinds": ["proto"],
    "worker": ["abi", "common", "worker/kinds", "proto", "runtime", "runtime/tools"] + COMPILER,
    "client": ["common", "proto", "runtime"],
    "examples": ["runtime"],
    "bench": None,  # None: anything
    "tests": None,
}

# Beginning of a third party's header -> folders or files that may include it. What is not listed is the standard library's.
THIRD_PARTY = {
    "llvm/": ["compiler/codegen", "tests/codegen"],
    "llvm-c/": ["compiler/codegen"],
    "lld/": ["compiler/codegen"],
    "onnx/": ["compiler/frontend/onnx", "compiler/samples", "tests"],
    "google/protobuf/": ["text", "proto", "server", "worker", "client", "compiler/frontend/onnx", "compiler/samples", "tests"],
    "hone/v1/": ["proto", "server", "worker", "client", "tests", "bench"],
    "absl/": ["text", "common", "compiler", "measure", "proto", "server", "worker", "client", "tests", "bench"],
    "nlohmann/": ["compiler/artifact", "compiler/driver", "server", "client", "tests", "bench"],
    "CLI/": ["client/command_line.cpp", "server", "worker", "bench", "tests/service"],
    "grpcpp/": ["server/rpc", "server", "worker", "client/service", "tests", "bench"],
    "grpc/": ["server/rpc", "server", "worker", "client/service", "tests", "bench"],
    "SQLiteCpp/": ["server/store", "tests"],
    "sqlite3.h": ["server/store", "tests"],
    "spdlog/": ["server", "worker"],
    "prometheus/": ["server/admin"],
    "httplib.h": ["server/admin"],
    "seccomp.h": ["worker"],
    "openssl/": ["common", "compiler/artifact", "tests"],
    "zlib.h": ["runtime/tools", "tests"],
    "gtest/": ["tests"],
    "gmock/": ["tests"],
    "benchmark/": ["bench"],
}

# These folders know TensorOps only: an operator's name in their code (comments may give examples) is a leak. Words that
# are also names of instructions or of loops (cast, broadcast, gather, reduce, pad …) say nothing.
NAMELESS = ["compiler/schedule", "compiler/loop", "compiler/codegen"]
OPERATORS = re.compile(r"(?<![a-z])(conv|conv2d|convolution|depthwise|mat_?mul|gemm|(log_?)?softmax|relu6?|pooling|max_?pool|"
                       r"average_?pool|batch_?norm\w*|layer_?norm\w*|gelu|sigmoid|lstm|gru|attention)(?![a-z])")

# Locks are those whose discipline the compiler checks: the standard library's and abseil's are not (see the header).
ANNOTATED = ("client", "common", "server", "worker")
MUTEX = "common/mutex.h"
BARE_LOCK = re.compile(r"\b(std::(?:\w*_mutex|mutex|lock_guard|unique_lock|scoped_lock|condition_variable\w*)"
                       r"|absl::(?:Mutex\w*|CondVar))\b")

SOURCES = (".h", ".hpp", ".c", ".cpp")
SCRIPTS = (".cmake", ".sh", ".py", ".txt")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.DOTALL)
SYSTEM_ROOTS = {"usr", "proc", "dev", "tmp", "sys", "etc", "bin", "sbin", "lib", "opt", "var", "run"}
UPWARD = re.compile(r"(?<![\w./])(?:\.\./)+[\w./-]*")


def folder_of(path):
    """The folder of ALLOWED that holds path (relative to the root), or None."""
    return max((f for f in ALLOWED if path == f or path.startswith(f + "/")), key=len, default=None)


def may_know(folder, other):
    allowed = ALLOWED[folder]
    return folder == other or allowed is None or other == TEXT or other in allowed


def files(root, suffixes):
    for base, folders, names in os.walk(root):
        relative = os.path.relpath(base, root)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not (relative == "." and f == "build"))
        for name in sorted(names):
            if name.endswith(suffixes):
                yield os.path.normpath(os.path.join(relative, name))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def resolve(root, path, name):
    """The file of ours that an include means, or None."""
    for base in (".", os.path.dirname(path), "runtime/include"):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def check_include(root, path, quote, name):
    folder = folder_of(path)
    if ".." in name.split("/"):
        return f"{path}: includes \"{name}\", a path that goes upwards"
    ours = resolve(root, path, name)
    if ours is not None:
        other = folder_of(ours)
        if other is None:
            return f"{path}: includes {ours}, which belongs to no known folder"
        return None if may_know(folder, other) else f"{path}: {folder} must not include {ours}"
    for prefix, places in THIRD_PARTY.items():
        if name.startswith(prefix):
            if any(path == place or path.startswith(place + "/") for place in places):
                return None
            return f"{path}: only {', '.join(places)} may include {prefix}"
    if quote == '"':
        return f"{path}: includes \"{name}\", which is neither in the tree nor a known library's"
    return None


def check_sources(root):
    problems = []
    for path in files(root, SOURCES):
        text = read(root, path)
        folder = folder_of(path)
        if folder is None:
            problems.append(f"{path}: lies in no folder that the architecture names")
            continue
        problems += filter(None, (check_include(root, path, q, n) for q, n in INCLUDE.findall(text)))
        if folder in NAMELESS:
            code = COMMENT.sub(lambda match: match.group(1) or " ", text)
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code).lower()
            for match in OPERATORS.finditer(words):
                problems.append(f"{path}: {folder} names the operator '{match.group(1)}'")
        if folder.startswith(ANNOTATED) and path != MUTEX:
            code = COMMENT.sub(lambda match: match.group(1) or " ", text)
            problems += (f"{path}: {match.group(1)} is not checked, use {MUTEX}" for match in BARE_LOCK.finditer(code))
    return problems


def check_paths(root):
    """Upward paths in sources, scripts and CMake files name what is in the tree; absolute paths are the system's."""
    problems = []
    absolute = re.compile(r"(?<![\w./$}*:>)<\]\\^-])/([a-z][\w.-]*)/[\w.-]+")
    for path in files(root, SOURCES + SCRIPTS):
        if path.startswith("tests/") and path.endswith(SOURCES + (".py",)):
            continue  # they hold paths of attackers and of broken trees
        text = read(root, path)
        for match in UPWARD.finditer(text):
            target = os.path.normpath(os.path.join(os.path.dirname(path), match.group(0)))
            if target.startswith("..") or not os.path.exists(os.path.join(root, target)):
                problems.append(f"{path}: '{match.group(0)}' leads out of the tree")
        for match in absolute.finditer(text):
            if match.group(1) not in SYSTEM_ROOTS:
                problems.append(f"{path}: '{match.group(0)}' is a path of one machine")
    return problems


def check_links(lines):
    """lines: 'target|folder|link;link' of every target."""
    problems = []
    targets = {}
    for line in filter(None, lines):
        name, path, links = line.split("|", 2)
        targets[name] = (folder_of(path), links.split(";"))
    for name, (folder, links) in targets.items():
        if folder is None:
            continue
        for link in links:
            link = re.sub(r"\$<(?:LINK_ONLY|BUILD_INTERFACE):([^>]*)>", r"\1", link)
            other = targets.get(link, (None,))[0]
            if other is not None and not may_know(folder, other):
                problems.append(f"target {name}: {folder} must not link {link} ({other})")
            if re.match(r"(LLVM|lld)", link) and not folder.startswith(("compiler/codegen", "tests")):
                problems.append(f"target {name}: only compiler/codegen may link {link}")
    return problems


def check_link_commands(ninja):
    """What the linker is told for the programs and libraries that people get."""
    problems = []
    forbidden = {
        r"bin/hone": r"libhone_(?!common|proto|grpc|runtime|run_tool|text)\w+\.a|libLLVM|liblld|libsqlite",
        r"bin/hone-run": r"libhone_(?!runtime|run_tool)\w+\.a|libLLVM|liblld|libabsl|libprotobuf",
        r"\S*libhone_runtime\.so\S*": r"libhone_\w+\.a|libLLVM|liblld|libabsl|libprotobuf",
    }
    for block in re.split(r"\n(?=build )", ninja):
        for output, pattern in forbidden.items():
            if not re.match(rf"build {output}(?: \S+)?: (CXX|C)_(EXECUTABLE|SHARED_LIBRARY)_LINKER", block):
                continue
            libraries = re.search(r"^  LINK_LIBRARIES = (.*)$", block, re.MULTILINE)
            for found in re.findall(pattern, libraries.group(1) if libraries else ""):
                problems.append(f"link line of {block.split()[1].rstrip(':')}: must not have {found}")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--targets", required=True)
    parser.add_argument("--ninja", required=True)
    arguments = parser.parse_args()
    with open(arguments.targets, encoding="utf-8") as file:
        targets = file.read().splitlines()
    with open(arguments.ninja, encoding="utf-8") as file:
        ninja = file.read()
    problems = (check_sources(arguments.root) + check_paths(arguments.root) + check_links(targets)
                + check_link_commands(ninja))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
