#!/usr/bin/env python3
"""Operators on rows that a mask keeps, and what detectors do behind their networks: hone's outputs against ONNX Runtime's.

test_bounded.py --hone HONE

Each operator of rows is tried with some of them kept and, where ONNX Runtime takes that, with none.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
random = numpy.random.default_rng(20261201)


def floats(*shape):
    return random.standard_normal(shape).astype(numpy.float32)


def integers(*values):
    return numpy.array(values, dtype=numpy.int64)


def node(op, inputs, *outputs, **attributes):
    return helper.make_node(op, inputs, outputs, name=f"{op} of {outputs[0]}", **attributes)


# Each: the nodes behind v, which is what a mask keeps of the rows of x; the shape of x; constants. They give y.
ROWS, IMAGES = (8, 5), (6, 3, 7, 7)
CHANNELS = {"a": floats(3), "b": floats(3)}
OF_ROWS = {
    "softmax over the rows": ([node("Softmax", ["v"], "y", axis=0)], ROWS, {}),
    "largest row": ([node("ReduceMax", ["v", "zero"], "y", keepdims=0)], ROWS, {}),
    "cumulative sums": ([node("CumSum", ["v", "first"], "y", reverse=1)], ROWS, {"first": numpy.int64(0)}),
    "top three": ([node("Shape", ["v"], "s"), node("Slice", ["s", "zero", "one"], "n"), node("Min", ["n", "three"], "k"),
                   node("TopK", ["v", "k"], "y", "i", axis=0)], ROWS, {"three": integers(3)}),
    "split columns": ([node("Split", ["v", "parts"], "w", "y", axis=1)], ROWS, {"parts": integers(2, 3)}),
    "tile rows": ([node("Tile", ["v", "times"], "y")], ROWS, {"times": integers(2, 1)}),
    "tile columns": ([node("Tile", ["v", "times"], "y")], ROWS, {"times": integers(1, 3)}),
    "pad rows": ([node("Pad", ["v", "pads"], "y")], ROWS, {"pads": integers(1, 0, 2, 1)}),
    "products of rows": ([node("Einsum", ["v", "v"], "y", equation="ij,kj->ik")], ROWS, {}),
    "sums of products": ([node("Einsum", ["v", "v"], "y", equation="ij,ik->jk")], ROWS, {}),
    "self attention": ([node("Transpose", ["v"], "t"), node("MatMul", ["v", "t"], "scores"), node("Softmax", ["scores"], "p"),
                        node("MatMul", ["p", "v"], "y")], ROWS, {}),
    "unique rounded rows": ([node("Round", ["v"], "w"), node("Unique", ["w"], "y", axis=0)], ROWS, {}),
    "one hot": ([node("ArgMax", ["v"], "i", axis=1, keepdims=0), node("OneHot", ["i", "depth", "values"], "y")], ROWS,
                {"depth": integers(5), "values": numpy.array([0, 1], numpy.float32)}),
    "positive places": ([node("Relu", ["v"], "w"), node("NonZero", ["w"], "y")], ROWS, {}),
    "largest of each column": ([node("Hardmax", ["v"], "y", axis=0)], ROWS, {}),
    "lower triangle": ([node("Trilu", ["v", "below"], "y", upper=0)], ROWS, {"below": numpy.int64(-1)}),
    "mask of attention": ([node("Transpose", ["v"], "t"), node("MatMul", ["v", "t"], "scores"), node("Trilu", ["scores"], "y")], ROWS,
                          {}),
    "norm of rows": ([node("LpNormalization", ["v"], "y", axis=0)], ROWS, {}),
    "convolution": ([node("Conv", ["v", "w"], "y")], IMAGES, {"w": floats(4, 3, 3, 3)}),
    "transposed convolution": ([node("ConvTranspose", ["v", "w"], "y", strides=[2, 2])], IMAGES, {"w": floats(3, 4, 2, 2)}),
    "instance normalisation": ([node("InstanceNormalization", ["v", "a", "b"], "y")], IMAGES, CHANNELS),
    "resize": ([node("Resize", ["v", "", "", "sizes"], "y", mode="linear", axes=[2, 3])], IMAGES, {"sizes": integers(14, 9)}),
    "depth to space": ([node("DepthToSpace", ["v"], "y", blocksize=2)], (6, 4, 3, 3), {}),
    "quantised": ([node("QuantizeLinear", ["v", "scale"], "q"), node("DequantizeLinear", ["q", "scale"], "y")], ROWS,
                  {"scale": numpy.float32(0.01)}),
}


def model(nodes, feeds, outputs, constants):
    graph = helper.make_graph(
        nodes, "bounded", [helper.make_tensor_value_info(name, TYPES[str(array.dtype)], array.shape) for name, array in feeds.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def of_rows(name, is_empty):
    nodes, shape, constants = OF_ROWS[name]
    mask = numpy.arange(shape[0]) % 3 != 1 if not is_empty else numpy.zeros(shape[0], bool)
    feeds = {"x": floats(*shape), "mask": mask}
    kind = TensorProto.INT64 if name == "positive places" else TensorProto.FLOAT
    keep = node("Compress", ["x", "mask"], "v", axis=0)
    return model([keep, *nodes], feeds, {"y": kind}, {"zero": integers(0), "one": integers(1), **constants}), feeds


def branches(is_true):
    """An If one of whose branches keeps some rows."""
    def branch(op, inputs, output, **attributes):
        return helper.make_graph([node(op, inputs, output, **attributes)], op, [],
                                 [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])
    feeds = {"x": floats(*ROWS), "mask": numpy.arange(8) % 2 == 0, "which": numpy.array(is_true)}
    choice = node("If", ["which"], "z", then_branch=branch("Compress", ["x", "mask"], "t", axis=0),
                  else_branch=branch("Neg", ["x"], "e"))
    return model([choice, node("ReduceSum", ["z", "zero"], "y", keepdims=0)], feeds, {"y": TensorProto.FLOAT, "z": TensorProto.FLOAT},
                 {"zero": integers(0)}), feeds


def boxes(count):
    corners = random.random((count, 2)) * 40
    return numpy.concatenate([corners, corners + 2 + random.random((count, 2)) * 20], 1).astype(numpy.float32)


def levels():
    """Regions are taken from the level of the pyramid that fits their size, and put back in their order."""
    nodes = [node("Compress", ["x", "mask"], "v", axis=0), node("Compress", ["level", "mask"], "of", axis=0),
             node("Shape", ["v"], "s"), node("Slice", ["s", "zero", "one"], "n"), node("Concat", ["n", "cells"], "all", axis=0),
             node("ConstantOfShape", ["all"], "y0")]
    for k in range(2):
        nodes += [node("Equal", ["of", f"level{k}"], f"is{k}"), node("NonZero", [f"is{k}"], f"found{k}"),
                  node("Squeeze", [f"found{k}", "zero"], f"places{k}"), node("Gather", ["v", f"places{k}"], f"regions{k}"),
                  node("Sub", [f"places{k}", f"places{k}"], f"picture{k}"),
                  node("RoiAlign", [f"map{k}", f"regions{k}", f"picture{k}"], f"aligned{k}", output_height=2, output_width=2,
                       sampling_ratio=2, spatial_scale=0.5 ** (k + 2)),
                  node("Unsqueeze", [f"places{k}", "one"], f"rows{k}"),
                  node("ScatterND", [f"y{k}", f"rows{k}", f"aligned{k}"], f"y{k + 1}")]
    feeds = {"x": boxes(7), "mask": numpy.arange(7) != 2, "level": integers(0, 1, 1, 0, 1, 1, 0), "map0": floats(1, 3, 16, 16),
             "map1": floats(1, 3, 8, 8)}
    return model(nodes, feeds, {"y2": TensorProto.FLOAT}, {"zero": integers(0), "one": integers(1), "cells": integers(3, 2, 2),
                                                           "level0": numpy.int64(0), "level1": numpy.int64(1)}), feeds


def detections():
    """Boxes with a score that counts, suppressed class by class (each class is moved away from the others), the best few."""
    nodes = [node("Greater", ["score", "least"], "counts")]
    nodes += [node("Compress", [name, "counts"], f"some_{name}", axis=0) for name in ("x", "score", "label")]
    nodes += [node("ReduceMax", ["some_x"], "far", keepdims=0), node("Cast", ["some_label"], "label_number", to=TensorProto.FLOAT),
              node("Mul", ["label_number", "far"], "away"), node("Unsqueeze", ["away", "one"], "column"),
              node("Add", ["some_x", "column"], "moved"), node("Unsqueeze", ["moved", "zero"], "boxes"),
              node("Unsqueeze", ["some_score", "zero_one"], "scores"),
              node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], "selected"),
              node("Gather", ["selected", "two"], "kept", axis=1), node("Slice", ["kept", "zero", "ten"], "best"),
              node("Gather", ["some_x", "best"], "y"), node("Gather", ["some_label", "best"], "label_of_y")]
    feeds = {"x": boxes(60), "score": random.random(60).astype(numpy.float32), "label": random.integers(0, 3, 60)}
    constants = {"zero": integers(0), "one": integers(1), "two": numpy.int64(2), "zero_one": integers(0, 1), "ten": integers(10),
                 "least": numpy.float32(0.3), "most": integers(100), "overlap": numpy.array([0.3], numpy.float32)}
    return model(nodes, feeds, {"y": TensorProto.FLOAT, "label_of_y": TensorProto.INT64}, constants), feeds


def many_boxes(least):
    """More boxes and classes than a list of candidates holds: the threshold says which way is taken."""
    feeds = {"boxes": boxes(1500)[None], "scores": random.random((1, 4, 1500)).astype(numpy.float32)}
    constants = {"most": integers(50), "overlap": numpy.array([0.4], numpy.float32), "least": numpy.array([least], numpy.float32)}
    nodes = [node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], "y")]
    return model(nodes, feeds, {"y": TensorProto.INT64}, constants), feeds


def cases():
    for name in OF_ROWS:
        yield name, lambda name=name: of_rows(name, False), False
        yield f"{name}, none kept", lambda name=name: of_rows(name, True), True
    yield "If, some rows", lambda: branches(True), False
    yield "If, all rows", lambda: branches(False), False
    yield "levels of a pyramid", levels, False
    yield "detections", detections, False
    for least in (0.99, 0.9, 0.6, 0.1):
        yield f"boxes above {least}", lambda least=least: many_boxes(least), False


def reference(proto, feeds, may_fail):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    try:
        return session.run(None, feeds)
    except Exception:  # ONNX Runtime's exceptions have no type of their own
        if may_fail:
            return None
        raise


def difference(mine, expected):
    if mine.shape != expected.shape:
        return f"shape {mine.shape} instead of {expected.shape}"
    if not numpy.allclose(mine, expected, rtol=1e-4, atol=1e-5, equal_nan=True):
        return f"differs by up to {numpy.abs(mine.astype(float) - expected).max():.3g}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True)
    hone = parser.parse_args().hone
    failures = skipped = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, make, may_fail in cases():
            proto, feeds = make()
            expected = reference(proto, feeds, may_fail)
            if expected is None:
                skipped += 1
                continue
            onnx.save(proto, folder / "model.onnx")
            numpy.savez(folder / "in.npz", **feeds)
            subprocess.run([hone, "compile", "--target", "llvm", "--output", folder / "model.tar", folder / "model.onnx"], check=True)
            subprocess.run([hone, "run", "--inputs", folder / "in.npz", "--outputs", folder / "out.npz", folder / "model.tar"],
                           check=True)
            outputs = numpy.load(folder / "out.npz")
            for i, array in enumerate(expected):
                if text := difference(outputs[f"output_{i}"], array):
                    print(f"{label}: output {i} {text}")
                    failures += 1
    print(f"{failures} outputs differ; ONNX Runtime refuses {skipped} cases")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
