#!/usr/bin/env python3
"""Graphs that torch.onnx.export wrote (examples/exporters), with weights from a seed: hone's outputs against ONNX Runtime's.

test_exporters.py --hone HONE --models FOLDER [NAME...]
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

import skeleton

LARGEST = 1e-4  # of the largest value
# Values of the dims that the export left open: a first pass over a prompt without a past, and the step after it.
RUNS = {
    "decoder": [{"input_ids": (1, 16), "past": 0}, {"input_ids": (1, 1), "past": 16}],
    "bert": [{"sequence": 48}],
}
WHOLE = {"input_ids": 2000, "words": 1000, "token_type_ids": 2, "attention_mask": 2, "step": 1000}


def shape_of(value, extents):
    """The shape of an input: fixed dims, the batch is 1, and the others as the run says."""
    dims = value.type.tensor_type.shape.dim
    if value.name in extents:
        return extents[value.name]
    if "past" in extents and value.name.startswith("past_"):
        return tuple(extents["past"] if i == 2 else dim.dim_value for i, dim in enumerate(dims))
    return tuple(dim.dim_value or (1 if i == 0 else extents["sequence"]) for i, dim in enumerate(dims))


def draw(value, shape, random):
    name, kind = value.name, value.type.tensor_type.elem_type
    if name == "attention_mask":
        return (numpy.arange(shape[1]) < shape[1] - 5).astype(numpy.int64)[None].repeat(shape[0], 0)
    if name == "point_labels":
        return numpy.array([[1, 0, 1, 2, -1]], dtype=numpy.int64)
    if kind == onnx.TensorProto.INT64:
        return random.integers(0, WHOLE[name], size=shape)
    if name == "point_coords":
        return (random.random(shape) * 1024).astype(numpy.float32)
    return random.standard_normal(shape).astype(numpy.float32)


def compile_and_run(hone, path, feeds, folder):
    numpy.savez(folder / "in.npz", **feeds)
    shapes = " ".join(f"{name}:[{','.join(map(str, array.shape))}]" for name, array in feeds.items())
    artifact = folder / "model.tar"
    subprocess.run([hone, "compile", "--target", "llvm", "--input-shapes", shapes, "--output", artifact, path], check=True)
    subprocess.run([hone, "run", "--inputs", folder / "in.npz", "--outputs", folder / "out.npz", artifact], check=True)
    return numpy.load(folder / "out.npz")


def compare(name, mine, reference):
    """The largest difference as a share of the largest value; whole numbers have to be equal."""
    if mine.shape != reference.shape or mine.dtype != reference.dtype:
        raise SystemExit(f"{name}: {mine.dtype}{mine.shape} instead of {reference.dtype}{reference.shape}")
    if reference.size == 0:
        return 0.0
    if reference.dtype.kind != "f":
        return 0.0 if (mine == reference).all() else float("inf")
    return float(numpy.abs(mine - reference).max() / max(numpy.abs(reference).max(), 1e-30))


def test(hone, path, folder):
    model = skeleton.restore(onnx.load(path))
    whole = folder / path.name
    onnx.save(model, whole)
    session = onnxruntime.InferenceSession(whole, providers=["CPUExecutionProvider"])
    worst = 0.0
    for extents in RUNS.get(path.name.split(".")[0], [{}]):
        random = numpy.random.default_rng(1)
        feeds = {value.name: draw(value, shape_of(value, extents), random) for value in model.graph.input}
        expected = dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))
        found = compile_and_run(hone, whole, feeds, folder)
        for name, reference in expected.items():
            worst = max(worst, compare(f"{path.name} {extents} {name}", found[name], reference))
    print(f"{path.name:28} {worst:.1e} x max", flush=True)
    return worst <= LARGEST


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True)
    parser.add_argument("--models", required=True, type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_intermixed_args()
    paths = [path for path in sorted(options.models.glob("*.onnx")) if not options.names or path.name.split(".")[0] in options.names]
    if not paths:
        raise SystemExit(f"no models in {options.models}")
    with tempfile.TemporaryDirectory() as folder:
        results = [test(options.hone, path, pathlib.Path(folder)) for path in paths]
    if not all(results):
        raise SystemExit(f"{results.count(False)} of {len(results)} differ by more than {LARGEST} x max")


if __name__ == "__main__":
    sys.exit(main())
