"""Checks who knows whom: the arrows of docs/architecture.md, in includes and in link lines; who may include LLVM and ONNX; and that no
operator has a name where only TensorOps are known. `check_layers.py SOURCE_ROOT`."""

import pathlib
import re
import sys

BASE = {"compiler/base"}
TENSOR = BASE | {"compiler/tensor"}
SCHEDULE = TENSOR | {"compiler/schedule"}
LOOP = SCHEDULE | {"compiler/loop"}
GRAPH = BASE | {"compiler/graph"}

# folder -> the folders of ours that it may include and link, besides itself
MAY_KNOW: dict[str, set[str]] = {
    "abi": set(),
    "runtime": {"abi"},
    "compiler/base": set(),
    "compiler/tensor": BASE,
    "compiler/schedule": TENSOR,
    "compiler/loop": SCHEDULE,
    "compiler/codegen": LOOP | {"abi"},
    "compiler/graph": BASE,
    "compiler/frontend": GRAPH,
    "compiler/plan": GRAPH | TENSOR,
    "compiler/artifact": TENSOR | {"abi"},
    "compiler/samples": BASE,
    "compiler/driver": {"compiler"},
    "proto": set(),
    "worker": {"compiler", "proto"},
    "client": {"runtime", "proto"},
}

# what of others has one place
THIRD_PARTY = {
    "llvm/": {"compiler/codegen"},
    "llvm-c/": {"compiler/codegen"},
    "lld/": {"compiler/codegen"},
    "onnx/": {"compiler/frontend", "compiler/samples"},
}

WITHOUT_OPERATORS = ("compiler/schedule", "compiler/loop", "compiler/codegen")
OPERATORS = {"conv", "convolution", "depthwise", "pointwise", "matmul", "gemm", "pool", "pooling", "softmax", "relu", "gelu", "norm",
             "layernorm", "batchnorm", "attention", "lstm", "resnet", "bert"}


def layer(path: str) -> str | None:
    """The folder of MAY_KNOW that `path`, relative to the root, lies in."""
    return next((folder for folder in MAY_KNOW if path.startswith(folder + "/")), None)


def allowed(user: str, used: str) -> bool:
    return used == user or any(used == folder or used.startswith(folder + "/") for folder in MAY_KNOW[user])


def check_includes(user: str, path: pathlib.Path, text: str) -> list[str]:
    wrong = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
        if not match:
            continue
        used = layer(match[1])
        if used and not allowed(user, used):
            wrong.append(f"{path}:{number}: {user} must not include {used}")
        for prefix, places in THIRD_PARTY.items():
            if match[1].startswith(prefix) and user not in places:
                wrong.append(f"{path}:{number}: only {', '.join(sorted(places))} may include {prefix}")
    return wrong


def target_folders(root: pathlib.Path) -> dict[str, str]:
    """CMake target -> its layer."""
    targets = {}
    for file in root.glob("**/CMakeLists.txt"):
        user = layer(file.relative_to(root).as_posix())
        if user:
            for target in re.findall(r"(?:hone_library|add_library|add_executable)\(\s*(hone[\w-]+)", file.read_text()):
                targets[target] = user
    return targets


def check_links(user: str, path: pathlib.Path, text: str, targets: dict[str, str]) -> list[str]:
    wrong = []
    text = re.sub(r"#.*", "", text)
    for block in re.findall(r"(?:\bLINKS\b|\bPRIVATE_LINKS\b|target_link_libraries\()([^)]*)\)", text):
        for target in re.findall(r"\bhone[\w-]+", block):
            used = targets.get(target)
            if used and not allowed(user, used):
                wrong.append(f"{path}: {user} must not link {target} of {used}")
    return wrong


def without_comments_and_literals(text: str) -> str:
    """The same lines with only code in them."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda match: "\n" * match[0].count("\n"), text)


def check_operators(path: pathlib.Path, text: str) -> list[str]:
    wrong = []
    for number, line in enumerate(without_comments_and_literals(text).splitlines(), 1):
        for identifier in re.findall(r"[A-Za-z_]\w*", line):
            words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)]
            pairs = {first + second for first, second in zip(words, words[1:])}  # MatMul is matmul
            for word in sorted((set(words) | pairs) & OPERATORS):
                wrong.append(f"{path}:{number}: '{identifier}' names an operator ({word}), but this folder knows TensorOps only")
    return wrong


def check(root: pathlib.Path) -> tuple[list[str], int]:
    wrong, files = [], 0
    targets = target_folders(root)
    for folder in sorted({name.split("/")[0] for name in MAY_KNOW}):
        for file in sorted((root / folder).glob("**/*")):
            path = file.relative_to(root)
            user = layer(path.as_posix())
            if file.suffix not in (".h", ".hpp", ".c", ".cpp") and file.name != "CMakeLists.txt":
                continue
            text = file.read_text()
            if user is None:
                if file.name != "CMakeLists.txt":
                    wrong.append(f"{path}: lies in no folder that check_layers.py knows")
                continue
            files += 1
            if file.name == "CMakeLists.txt":
                wrong += check_links(user, path, text, targets)
            else:
                wrong += check_includes(user, path, text)
                if user in WITHOUT_OPERATORS:
                    wrong += check_operators(path, text)
    return wrong, files


def main() -> None:
    wrong, files = check(pathlib.Path(sys.argv[1]))
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{files} files keep to the layers")


if __name__ == "__main__":
    main()
