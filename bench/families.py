"""Times one small model per family of operators, hone against ONNX Runtime, and checks that they agree.

The engines take turns, as in compare.py; the processes stay for all cases. A family that hone refuses is listed with the reason.
"""

import argparse
import contextlib
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import compare
import family_cases
import inputs
from family_cases import Case

ENGINES = ("hone", "onnxruntime")


def make_feed(tensors: list[tuple[str, str, list[int]]], bounds: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    feed = {}
    for name, dtype, shape in tensors:
        if name in bounds:
            # Sets of indices without repetition along the last dim, so that the order of additions does not matter.
            rows = [generator.choice(bounds[name], shape[-1], replace=shape[-1] > bounds[name])
                    for _ in range(int(np.prod(shape[:-1])))]
            feed[name] = np.array(rows, dtype).reshape(shape)
        else:
            feed[name] = inputs.make_input(name, dtype, shape, generator)
    return feed


def measure(case: Case, engines: dict[str, compare.EngineProcess], arguments: argparse.Namespace,
            folder: pathlib.Path) -> str:
    """The case's row."""
    onnx, artifact, feed = folder / "case.onnx", folder / "case.tar", folder / "inputs.npz"
    model, bounds = family_cases.make_model(case, arguments.seed)
    onnx.write_bytes(model)
    result = subprocess.run([arguments.hone, "compile", "--target", arguments.target, "--output", artifact, onnx],
                            capture_output=True, text=True)
    if result.returncode != 0:
        return f"| {case.family} | - | - | - | {result.stderr.strip().splitlines()[-1]} |"
    files = {"hone": artifact, "onnxruntime": onnx}
    opened = {name: process.ask(do="open", model=str(files[name]), threads=arguments.threads, shapes={})
              for name, process in engines.items()}
    np.savez(feed, **make_feed(opened["hone"]["inputs"], bounds, arguments.seed))
    medians: dict[str, list[float]] = {name: [] for name in engines}
    for process in engines.values():
        process.ask(do="feed", file=str(feed))
        process.ask(do="run", seconds=0.05, count=3)
    for number in range(arguments.rounds):
        order = ENGINES if number % 2 == 0 else ENGINES[::-1]
        for name in order:
            samples = engines[name].ask(do="run", seconds=arguments.seconds, count=3)["milliseconds"]
            medians[name].append(statistics.median(samples))
    low, middle, high = compare.quartiles([peer / hone for peer, hone in zip(medians["onnxruntime"], medians["hone"])])
    difference = compare.compare_outputs(list(engines.values()), folder)["onnxruntime"]
    times = [statistics.median(medians[name]) for name in ENGINES]
    return (f"| {case.family} | {times[0]:.4f} | {times[1]:.4f} | {middle:.2f} ({low:.2f}..{high:.2f}) | "
            f"{difference:.1e} |")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only the families whose names hold one of these words")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.05, help="an engine's turn in a round (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and inputs")
    parser.add_argument("--target", default="llvm", help="as `hone compile` takes it (default: %(default)s)")
    parser.add_argument("--build", type=pathlib.Path, default=compare.ROOT / "build/release", help="hone's build folder")
    arguments = parser.parse_args()
    arguments.hone = arguments.build / "bin/hone"
    arguments.library = arguments.build / "lib/libhone_runtime.so"
    return arguments


def main() -> None:
    arguments = parse_arguments()
    for key, value in compare.machine().items():
        print(f"{key}: {value}")
    print(f"\n| family | hone ms | onnxruntime ms | onnxruntime / hone (p25..p75) | largest difference |\n{'|---' * 5}|")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engines = {name: compare.EngineProcess(name, arguments.library) for name in ENGINES}
        for process in engines.values():
            stack.callback(process.close)
        for case in family_cases.selected(arguments.words):
            print(measure(case, engines, arguments, folder), flush=True)


if __name__ == "__main__":
    sys.exit(main())
