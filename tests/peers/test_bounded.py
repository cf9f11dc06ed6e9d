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


def sizes_of_boxes(mode, coordinates, box):
    """A picture is resized to the extents of a box, whose corners are clipped."""
    nodes = [node("Clip", ["box", "low", "high"], "clipped"), node("Cast", ["clipped"], "corners", to=TensorProto.INT64),
             node("Split", ["corners"], "first", "last", num_outputs=2), node("Sub", ["last", "first"], "sizes0"),
             node("Max", ["sizes0", "one"], "sizes"),
             node("Resize", ["x", "", "", "sizes"], "y", mode=mode, coordinate_transformation_mode=coordinates, axes=[2, 3])]
    feeds = {"x": floats(1, 2, 6, 5), "box": numpy.array(box, numpy.float32)}
    return model(nodes, feeds, {"y": TensorProto.FLOAT}, {"one": integers(1), "low": numpy.float32(0), "high": numpy.float32(30)}), feeds


def paste_body(height, width):
    """Puts one mask where its box says, as torchvision's exporter writes it."""
    def scalar(source, position, output):
        return node("Gather", [source, position], output, axis=0)

    def listed(name):
        return node("Unsqueeze", [name, "zeroth"], f"{name}_list")

    def zeros(rows, columns, output):
        return [node("Concat", [f"{rows}_list", f"{columns}_list"], f"{output}_shape", axis=0),
                node("ConstantOfShape", [f"{output}_shape"], output)]

    def extent(first, last, output):
        return [node("Sub", [last, first], f"{output}0"), node("Add", [f"{output}0", "one"], f"{output}1"),
                node("Concat", [f"{output}1", "one"], f"{output}2", axis=0), node("ReduceMax", [f"{output}2"], output, keepdims=0), listed(output)]

    def ends(first, last, limit, begin, end):
        return [listed(first), node("Concat", [f"{first}_list", "zeroth"], f"{begin}0", axis=0),
                node("ReduceMax", [f"{begin}0"], begin, keepdims=0), listed(last), node("Add", [f"{last}_list", "one"], f"{end}0"),
                node("Concat", [f"{end}0", limit], f"{end}1", axis=0), node("ReduceMin", [f"{end}1"], end, keepdims=0), listed(begin),
                node("Sub", [begin, first], f"{begin}_of"), node("Sub", [end, first], f"{end}_of"), listed(f"{begin}_of"),
                listed(f"{end}_of"), node("Sub", [f"{limit}_number", end], f"{end}_rest"), listed(f"{end}_rest")]
    nodes = [node("Gather", ["padded", "i"], "mask1", axis=0), node("Gather", ["mask1", "number0"], "mask2", axis=0),
             node("Gather", ["boxes", "i"], "box", axis=0), *(scalar("box", f"number{k}", f"c{k}") for k in range(4)),
             *extent("c0", "c2", "w"), *extent("c1", "c3", "h"), node("Unsqueeze", ["mask2", "zero_one"], "mask3"),
             node("Concat", ["one_one", "h_list", "w_list"], "sizes", axis=0),
             node("Resize", ["mask3", "", "", "sizes"], "mask4", mode="linear", coordinate_transformation_mode="half_pixel"),
             scalar("mask4", "number0", "mask5"), scalar("mask5", "number0", "mask6"),
             *ends("c0", "c2", "width", "x0", "x1"), *ends("c1", "c3", "height", "y0", "y1"),
             node("Slice", ["mask6", "y0_of_list", "y1_of_list", "zeroth", "one"], "mask7"),
             node("Slice", ["mask7", "x0_of_list", "x1_of_list", "one", "one"], "mask8"),
             node("Shape", ["mask8"], "shape8"), scalar("shape8", "number1", "columns"), listed("columns"),
             *zeros("y0", "columns", "above"), *zeros("y1_rest", "columns", "below"),
             node("Concat", ["above", "mask8", "below"], "rows0", axis=0),
             node("Slice", ["rows0", "zeroth", "height", "zeroth", "one"], "rows1"),
             node("Shape", ["rows1"], "shape1"), scalar("shape1", "number0", "lines"), listed("lines"),
             *zeros("lines", "x0", "left"), *zeros("lines", "x1_rest", "right"),
             node("Concat", ["left", "rows1", "right"], "picture0", axis=1),
             node("Slice", ["picture0", "zeroth", "width", "one", "one"], "picture"), node("Unsqueeze", ["picture", "zeroth"], "row"),
             node("Concat", ["pictures", "row"], "more", axis=0), node("Identity", ["going"], "still")]
    value = helper.make_tensor_value_info
    return helper.make_graph(nodes, "paste", [value("i", TensorProto.INT64, []), value("going", TensorProto.BOOL, []),
                                              value("pictures", TensorProto.FLOAT, [None, height, width])],
                             [value("still", TensorProto.BOOL, []), value("more", TensorProto.FLOAT, [None, height, width])])


def pasted_masks(is_empty):
    """Masks of the boxes with a score that counts, each resized to its box and put where it is in the picture."""
    height, width, size, count = 40, 56, 7, 9
    nodes = [node("Greater", ["score", "least"], "counts"), node("Compress", ["x", "counts"], "some", axis=0),
             node("Compress", ["mask", "counts"], "masks", axis=0), node("Clip", ["some", "none", "far"], "inside"),
             node("Pad", ["masks", "pads"], "padded")]
    nodes += [node("Gather", ["inside", f"number{k}"], f"b{k}", axis=1) for k in range(4)]
    for first, last, name in ((0, 2, "x"), (1, 3, "y")):
        nodes += [node("Sub", [f"b{last}", f"b{first}"], f"{name}_extent"), node("Mul", [f"{name}_extent", "half_scale"], f"{name}_half"),
                  node("Add", [f"b{last}", f"b{first}"], f"{name}_sum"), node("Mul", [f"{name}_sum", "half"], f"{name}_middle"),
                  node("Sub", [f"{name}_middle", f"{name}_half"], f"e{first}"), node("Add", [f"{name}_middle", f"{name}_half"], f"e{last}")]
    nodes += [node("Unsqueeze", [f"e{k}", "one"], f"column{k}") for k in range(4)]
    nodes += [node("Concat", [f"column{k}" for k in range(4)], "expanded", axis=1),
              node("Cast", ["expanded"], "boxes", to=TensorProto.INT64), node("Shape", ["padded"], "shape"),
              node("Gather", ["shape", "number0"], "trips", axis=0),
              node("Loop", ["trips", "true", "nothing"], "y", body=paste_body(height, width))]
    feeds = {"x": boxes(count), "score": random.random(count).astype(numpy.float32), "mask": random.random((count, 1, size, size)).astype(numpy.float32)}
    feeds["x"][0] = [-20, 30, 90, 38.5]
    feeds["score"][:5] = [0.9, 0.9, 0.1, 0.9, 0.9]
    if is_empty:
        feeds["score"][:] = 0
    constants = {"least": numpy.float32(0.4), "none": numpy.float32(0), "far": numpy.float32(40), "half": numpy.float32(0.5),
                 "half_scale": numpy.float32(0.5 * (size + 2) / size), "pads": integers(0, 0, 1, 1, 0, 0, 1, 1), "true": numpy.array(True),
                 "nothing": numpy.zeros((0, height, width), numpy.float32), "zeroth": integers(0), "one": integers(1),
                 "zero_one": integers(0, 1), "one_one": integers(1, 1), "height": integers(height), "width": integers(width),
                 "height_number": numpy.int64(height), "width_number": numpy.int64(width)}
    constants |= {f"number{k}": numpy.int64(k) for k in range(4)}
    return model(nodes, feeds, {"y": TensorProto.FLOAT, "boxes": TensorProto.INT64}, constants), feeds


def cases():
    for name in OF_ROWS:
        yield name, lambda name=name: of_rows(name, False), False
        yield f"{name}, none kept", lambda name=name: of_rows(name, True), True
    yield "If, some rows", lambda: branches(True), False
    yield "If, all rows", lambda: branches(False), False
    yield "levels of a pyramid", levels, False
    yield "detections", detections, False
    for mode in ("linear", "nearest"):
        for coordinates in ("half_pixel", "align_corners", "asymmetric"):
            for box in ([2.5, 3, 9, 8], [-4, 2, 99, 3], [7, 7, 7, 7]):
                yield f"{mode} {coordinates} to {box}", lambda m=mode, c=coordinates, b=box: sizes_of_boxes(m, c, b), False
    yield "pasted masks", lambda: pasted_masks(False), False
    yield "pasted masks, none", lambda: pasted_masks(True), True
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
