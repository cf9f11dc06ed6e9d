#!/usr/bin/env python3
"""Writes the node tests of the installed onnx package as the folders that `conformance --data` reads.

    node_tests.py FOLDER    # FOLDER/node/test_abs/model.onnx, FOLDER/node/test_abs/test_data_set_0/input_0.pb, ...

The package holds the tests as code, not as files. Their random data come from numpy, with the seed set here. FOLDER/version
says of which package and script the files are when all of them are written; a folder that says the same is left as it is.
"""
import hashlib
import pathlib
import shutil
import sys
import warnings

import numpy
import onnx
from onnx import numpy_helper


def serialized(value, info):
    """The bytes of one input or output, in the message that its type asks for."""
    if isinstance(value, onnx.TensorProto):
        return value.SerializeToString()
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name).SerializeToString()
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name).SerializeToString()
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name).SerializeToString()
    return numpy_helper.from_array(value, info.name).SerializeToString()


def write(case, folder):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    graph = case.model.graph
    for index, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{index}"
        data.mkdir()
        for kind, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for position, (value, info) in enumerate(zip(values, infos)):
                (data / f"{kind}_{position}.pb").write_bytes(serialized(value, info))


def transform_in_double():
    """numpy 2 transforms float32 in float32: what it gives where a sum is 0 is its own rounding, no expectation."""

    def in_double(transform):
        def transformed(values, *args, **kwargs):
            values = numpy.asarray(values)
            kind = numpy.complex128 if numpy.iscomplexobj(values) else numpy.float64
            return transform(values.astype(kind), *args, **kwargs)

        return transformed

    for name in ("fft", "ifft", "rfft", "irfft"):
        setattr(numpy.fft, name, in_double(getattr(numpy.fft, name)))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: node_tests.py FOLDER")
    root = pathlib.Path(sys.argv[1])
    stamp = root / "version"
    version = f"{onnx.__version__} {hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == version:
        return
    shutil.rmtree(root, ignore_errors=True)
    # The tests are made when their modules are imported.
    numpy.random.seed(0)
    transform_in_double()
    warnings.simplefilter("ignore")
    from onnx.backend.test.case.node import collect_testcases

    cases = collect_testcases(None)
    for case in cases:
        write(case, root / "node" / case.name)
    stamp.write_text(version, encoding="utf-8")
    print(f"{len(cases)} node tests of onnx {onnx.__version__}")


if __name__ == "__main__":
    main()
