"""A whole network compiled and run by hone against ONNX Runtime on the same inputs.

hone's outputs are read in two ways, from `hone run` through .npz files and from the runtime's C ABI, at one and two
threads. Each must lie within 3e-4 of the largest output, and within 1e-4 where Winograd's algorithm is left out; a
classifier must name the same five classes in the same order.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
from typing import Iterator

import numpy as np
import onnxruntime

import hone_runtime
import inputs
import legacy_torch_file
import make_efficientnet_lite0
import preprocess

TOLERANCE = 3e-4
TOLERANCE_OF_PLAIN_SUMS = 1e-4
CLASSIFIERS = {"densenet121", "efficientnet-lite0", "inception-v1", "mobilenet-v2", "regnet-y-400mf",
               "resnet3d-18", "resnet50-v2", "squeezenet1.1", "vgg16"}
PHOTOGRAPHS = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png")
SEEDS = (1, 2)

Tensors = dict[str, np.ndarray]


def write_model(name: str, arguments: argparse.Namespace, file: pathlib.Path) -> None:
    if name == "efficientnet-lite0":
        weights = legacy_torch_file.load(arguments.data / "efficientnet-lite0.pth")
        file.write_bytes(make_efficientnet_lite0.make_model(weights).SerializeToString())
    else:
        subprocess.run([arguments.hone, "sample", name, "-o", file], check=True)


def cases(name: str, peer: onnxruntime.InferenceSession, data: pathlib.Path) -> Iterator[tuple[str, Tensors]]:
    """Inputs and what they are called."""
    if name == "efficientnet-lite0":
        for photo in PHOTOGRAPHS:
            yield photo, {"images": preprocess.preprocess(data / photo, 224, 0.875, "efficientnet-lite")}
        return
    types = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    tensors = [(tensor.name, types[tensor.type], tensor.shape) for tensor in peer.get_inputs()]
    for seed in SEEDS:
        yield f"seed {seed}", inputs.make_inputs(tensors, seed)


def run_command(arguments: argparse.Namespace, artifact: pathlib.Path, feed: Tensors, names: list[str]) -> Tensors:
    """The outputs of `hone run`, by their ONNX names; output_N must be the same data."""
    source, sink = artifact.with_suffix(".in.npz"), artifact.with_suffix(".out.npz")
    np.savez_compressed(source, **feed)
    subprocess.run([arguments.hone, "run", "--inputs", source, "--outputs", sink, artifact], check=True)
    with np.load(sink) as file:
        outputs = {name: file[name] for name in names}
        for position, name in enumerate(names):
            if not np.array_equal(file[f"output_{position}"], outputs[name], equal_nan=True):
                raise AssertionError(f"output_{position} and {name} are not the same data")
    return outputs


def run_library(session: hone_runtime.Session, feed: Tensors) -> Tensors:
    for name, value in feed.items():
        session.set_input(name, value)
    session.run()
    return {tensor.name: session.output(tensor.name) for tensor in session.outputs}


def check(what: str, classifier: bool, ours: Tensors, theirs: Tensors, tolerance: float = TOLERANCE) -> list[str]:
    """Prints the figures; returns what is wrong."""
    wrong = []
    for name, expected in theirs.items():
        value = ours[name]
        if value.shape != expected.shape or value.dtype != expected.dtype:
            wrong.append(f"{what}: {name} is {value.dtype}{value.shape}, ONNX Runtime's is {expected.dtype}{expected.shape}")
            continue
        error = float(np.abs(value.astype(np.float64) - expected).max() / np.abs(expected).max())
        line = f"{what}: {name}: max|diff| = {error:.2e} of max|output|"
        if not error <= tolerance:  # a NaN is wrong too
            wrong.append(line)
        if classifier:
            mine, reference = (np.argsort(-scores.reshape(-1), kind="stable")[:5].tolist() for scores in (value, expected))
            line += f", top-5 {mine}"
            if mine != reference:
                wrong.append(f"{what}: top-5 is {mine}, ONNX Runtime's is {reference}")
        print(line)
    return wrong


def test(name: str, arguments: argparse.Namespace, folder: pathlib.Path) -> list[str]:
    onnx, artifact = folder / f"{name}.onnx", folder / f"{name}.tar"
    write_model(name, arguments, onnx)
    subprocess.run([arguments.hone, "compile", "--target", "llvm", "--output", artifact, onnx], check=True)
    peer = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    names = [output.name for output in peer.get_outputs()]
    sessions = {threads: hone_runtime.Session(str(artifact), threads) for threads in (1, 2)}
    plain = folder / f"{name}.plain.tar"
    subprocess.run([arguments.hone, "compile", "--disabled-algorithms", "winograd", "--output", plain, onnx], check=True)
    plain_session = hone_runtime.Session(str(plain), 2)
    wrong = []
    for what, feed in cases(name, peer, arguments.data):
        theirs = dict(zip(names, peer.run(names, feed)))
        classifier = name in CLASSIFIERS
        wrong += check(f"{name}, {what}, hone run", classifier, run_command(arguments, artifact, feed, names), theirs)
        for threads, session in sessions.items():
            wrong += check(f"{name}, {what}, C ABI, threads {threads}", classifier, run_library(session, feed), theirs)
        wrong += check(f"{name}, {what}, without winograd", classifier, run_library(plain_session, feed), theirs,
                       TOLERANCE_OF_PLAIN_SUMS)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", type=pathlib.Path, required=True, help="the program")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="what examples/imagenet/fetch.py fetched")
    parser.add_argument("model", help="a name of `hone sample`, or efficientnet-lite0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = test(arguments.model, arguments, pathlib.Path(folder))
    if wrong:
        sys.exit("disagrees with ONNX Runtime:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
