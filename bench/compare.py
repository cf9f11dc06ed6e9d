"""Times hone against ONNX Runtime and OpenVINO in one run, interleaved round by round, and checks that they agree.

Absolute times of a shared machine drift by tens of per cent within minutes; the ratio of two engines that ran one after the
other in the same round does not. So what counts here is the median over the rounds of (peer's median / hone's
median), with its quartiles. Every engine runs in a process of its own that is stopped while the others have their
turn.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

import inputs

SAMPLES = ("resnet50-v2", "mobilenet-v2", "minilm-l6", "bert-base", "densenet121", "gpt2-block", "inception-v1", "lstm-tagger",
           "regnet-y-400mf", "resnet3d-18", "squeezenet1.1", "unet", "vgg16", "yolo-like")
ROOT = pathlib.Path(__file__).resolve().parent.parent


class EngineProcess:
    """One engine's process; it runs only while a request of ours is being answered."""

    def __init__(self, name: str, library: pathlib.Path) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).parent / "engines.py"), name], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, "HONE_RUNTIME_LIBRARY": str(library)})

    def ask(self, **request: Any) -> dict[str, Any]:
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} died at {request['do']}; its message is above")
        self.process.send_signal(signal.SIGSTOP)
        return json.loads(line)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def difference(mine: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> float:
    """max |mine - reference| / max |reference| over all outputs, which come in the same order."""
    worst = 0.0
    for value, expected in zip(mine.values(), reference.values(), strict=True):
        error = np.abs(value.astype(np.float64) - expected.astype(np.float64)).max()
        worst = max(worst, float(error / np.abs(expected.astype(np.float64)).max()))
    return worst if np.isfinite(worst) else float("inf")


def quartiles(values: list[float]) -> list[float]:
    return [float(value) for value in np.percentile(values, [25, 50, 75])]


def open_engines(names: list[str], model: dict[str, pathlib.Path], threads: int, arguments: argparse.Namespace,
                 folder: pathlib.Path, stack: contextlib.ExitStack) -> tuple[list[EngineProcess], dict[str, str]]:
    """All engines with the model loaded and the same inputs bound; and their versions."""
    processes, versions = [], {}
    shapes: dict[str, list[int]] = {}
    feed = folder / "inputs.npz"
    for name in names:
        process = EngineProcess(name, arguments.library)
        stack.callback(process.close)
        opened = process.ask(do="open", model=str(model["artifact" if name == "hone" else "onnx"]), threads=threads,
                             shapes=shapes)
        if name == "hone":
            shapes = {tensor: shape for tensor, _, shape in opened["inputs"]}
            np.savez(feed, **{**inputs.make_inputs(opened["inputs"], arguments.seed), **given_inputs(arguments.inputs, shapes)})
        process.ask(do="feed", file=str(feed))
        processes.append(process)
        versions[name] = opened["version"]
    return processes, versions


def given_inputs(file: pathlib.Path | None, shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    if file is None:
        return {}
    with np.load(file) as loaded:
        given = dict(loaded)
    if unknown := given.keys() - shapes.keys():
        raise SystemExit(f"{file} has {', '.join(sorted(unknown))}; the model's inputs are {', '.join(shapes)}")
    return given


def compare_outputs(processes: list[EngineProcess], folder: pathlib.Path) -> dict[str, float]:
    """Each peer's distance from hone."""
    outputs = {}
    for process in processes:
        file = folder / f"{process.name}.npz"
        process.ask(do="outputs", file=str(file))
        with np.load(file) as loaded:
            outputs[process.name] = dict(loaded)
    return {name: difference(outputs["hone"], values) for name, values in outputs.items() if name != "hone"}


def measure(names: list[str], model: dict[str, pathlib.Path], threads: int, arguments: argparse.Namespace,
            folder: pathlib.Path) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        processes, versions = open_engines(names, model, threads, arguments, folder, stack)
        for process in processes:
            process.ask(do="run", seconds=0.2, count=3)
        medians: dict[str, list[float]] = {name: [] for name in names}
        for round_number in range(arguments.rounds):
            turn = round_number % len(processes)  # nobody always comes first
            for process in processes[turn:] + processes[:turn]:
                samples = process.ask(do="run", seconds=arguments.seconds, count=3)["milliseconds"]
                medians[process.name].append(statistics.median(samples))
        ratios = {name: [peer / hone for peer, hone in zip(medians[name], medians["hone"])]
                  for name in names if name != "hone"}
        return {
            "threads": threads,
            "versions": versions,
            "milliseconds": {name: statistics.median(values) for name, values in medians.items()},
            "ratios": {name: quartiles(values) for name, values in ratios.items()},
            "difference": compare_outputs(processes, folder),
            "rounds": medians,
        }


def prepare(name: str, arguments: argparse.Namespace, folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The model as ONNX and as hone's artifact."""
    onnx = pathlib.Path(name)
    if onnx.suffix != ".onnx":
        onnx = folder / f"{name}.onnx"
        subprocess.run([arguments.hone, "sample", name, "-o", onnx], check=True)
    artifact = folder / f"{onnx.stem}.tar"
    command = [arguments.hone, "compile", "--target", arguments.target, "--output", artifact, onnx]
    if arguments.input_shapes:
        command += ["--input-shapes", arguments.input_shapes]
    subprocess.run(command, check=True)
    return {"onnx": onnx, "artifact": artifact}


def machine() -> dict[str, Any]:
    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "system": platform.platform(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "command": shlex.join(sys.argv)}


def table_head(peers: list[str]) -> str:
    columns = ["model", "threads", "hone ms", *(f"{peer} ms" for peer in peers),
               *(f"{peer} / hone (p25..p75)" for peer in peers), "largest difference"]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def table_row(name: str, result: dict[str, Any], peers: list[str]) -> str:
    times, ratios = result["milliseconds"], result["ratios"]
    cells = [name, str(result["threads"]), *(f"{times[engine]:.2f}" for engine in ["hone", *peers]),
             *("{1:.2f} ({0:.2f}..{2:.2f})".format(*ratios[peer]) for peer in peers),
             ", ".join(f"{value:.1e}" for value in result["difference"].values())]
    return f"| {' | '.join(cells)} |"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(SAMPLES),
                        help="names of `hone sample` or .onnx files, with commas (default: %(default)s)")
    parser.add_argument("--input-shapes", help="for .onnx files with unbound dimensions, as `hone compile` takes it")
    parser.add_argument("--engines", default="onnxruntime,openvino", help="the peers (default: %(default)s)")
    parser.add_argument("--threads", default="1,2", help="thread counts, with commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="an engine's turn in a round (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs")
    parser.add_argument("--inputs", type=pathlib.Path,
                        help="an .npz file with inputs for which noise makes no sense; the others are made from the seed")
    parser.add_argument("--target", default="llvm", help="as `hone compile` takes it (default: %(default)s)")
    parser.add_argument("--tolerance", type=float, default=3e-4,
                        help="largest difference allowed, relative to the largest output (default: %(default)s)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="hone's build folder")
    parser.add_argument("--json", type=pathlib.Path, help="also write everything measured to this file")
    arguments = parser.parse_args()
    arguments.hone = arguments.build / "bin/hone"
    arguments.library = arguments.build / "lib/libhone_runtime.so"
    for needed in (arguments.hone, arguments.library):
        if not needed.exists():
            parser.error(f"{needed} does not exist; build hone first or name its build folder with --build")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    peers = [name for name in arguments.engines.split(",") if name]
    report: dict[str, Any] = {"machine": machine(), "results": []}
    for key, value in report["machine"].items():
        print(f"{key}: {value}")
    wrong = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.models.split(","):
            model = prepare(name, arguments, pathlib.Path(scratch))
            for threads in (int(count) for count in arguments.threads.split(",")):
                result = measure(["hone", *peers], model, threads, arguments, pathlib.Path(scratch))
                if not report["results"]:
                    print("versions:", ", ".join(f"{engine} {version}" for engine, version in result["versions"].items()))
                    print(f"\n{table_head(peers)}")
                print(table_row(model["onnx"].stem, result, peers), flush=True)
                report["results"].append({"model": model["onnx"].stem, **result})
                wrong += [f"{model['onnx'].stem}: {peer} differs by {value:.1e}"
                          for peer, value in result["difference"].items() if not value <= arguments.tolerance]
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if wrong:
        sys.exit("outputs disagree beyond the tolerance: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
