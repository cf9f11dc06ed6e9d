#!/usr/bin/env python3
"""A model's graph without its weights, and the weights back from a seed: so that a large model is a small file.

    skeleton.py SKELETON.onnx... -o FOLDER    # writes the models with their weights

What is left of a weight is its type, its shape and three numbers (mean, deviation, whether all elements are positive), from
which numbers like the original ones are drawn. Small tensors and those of integers stay as they are: axes, shapes, tables.
"""
import argparse
import pathlib
import zlib

import numpy
import onnx
from onnx import numpy_helper

MOST_ELEMENTS = 64
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
MARK = "seeded"


def strip(model):
    """Takes the weights out of the model, whose data are in memory."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type not in FLOATS or values.size <= MOST_ELEMENTS:
            continue
        wide = values.astype(numpy.float64)
        is_positive = int(wide.min() > 0)
        kept = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims,
                                doc_string=f"{MARK} {wide.mean():.6g} {wide.std():.6g} {is_positive}")
        tensor.CopyFrom(kept)
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    model.ClearField("metadata_props")
    return model


def restore(model, seed=0):
    """Draws the weights that strip() took out. The same seed and name give the same numbers."""
    for tensor in model.graph.initializer:
        if not tensor.doc_string.startswith(MARK + " "):
            continue
        mean, deviation, is_positive = (float(word) for word in tensor.doc_string.split()[1:])
        random = numpy.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
        values = random.normal(mean, deviation, size=tuple(tensor.dims))
        if is_positive:
            values = numpy.maximum(numpy.abs(values), 1e-3)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        restored = numpy_helper.from_array(values.astype(dtype), tensor.name)
        tensor.CopyFrom(restored)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("skeletons", nargs="+", type=pathlib.Path)
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for path in options.skeletons:
        onnx.save(restore(onnx.load(path)), options.output / path.name)


if __name__ == "__main__":
    main()
