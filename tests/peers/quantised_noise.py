"""How far ONNX Runtime agrees with itself on quantised samples when something changes that means little: the order of channels
within the blocks of a network, the last bit of a recurrent layer's biases, floats or integers.

Prints the figures of docs/design/decisions.md; nothing is compared with hone.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

import test_quantised

SEED = 5
CHANNELS = [("mobilenet-v2", "QDQ"), ("mobilenet-v2", "QDQ signed"), ("mobilenet-v2", "QDQ 16 bits")]
BIASES = [("lstm-tagger", way) for way in ("QDQ", "QDQ per channel", "dynamic", "dynamic per channel")]


class Graph:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.producers = {name: node for node in self.nodes for name in node.output}
        self.readers = {name: node for node in self.nodes for name in node.input}

    def change(self, name: str, values: np.ndarray) -> None:
        self.constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))

    def reorder(self, conv: onnx.NodeProto, position: int, axis: int, order: np.ndarray) -> None:
        """The quantised weights or bias of a convolution, and scales and zero points that belong to them."""
        data, *scaling = self.producers[conv.input[position]].input
        self.change(data, numpy_helper.to_array(self.constants[data]).take(order, axis))
        for name in scaling:
            values = numpy_helper.to_array(self.constants[name])
            if axis == 0 and values.shape == order.shape:
                self.change(name, values[order])


def groups(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


def reorder_channels(model: onnx.ModelProto) -> None:
    """Of each convolution per channel, of what gives its channels and of what takes them."""
    graph, random = Graph(model), np.random.default_rng(SEED)
    for conv in graph.nodes:
        if conv.op_type != "Conv" or groups(conv) == 1:
            continue
        before, after = graph.producers[conv.input[0]], graph.readers[conv.output[0]]
        while before.op_type != "Conv":
            before = graph.producers[before.input[0]]
        while after.op_type != "Conv":
            after = graph.readers[after.output[0]]
        order = random.permutation(groups(conv))
        for node in (before, conv):
            graph.reorder(node, 1, 0, order)
            graph.reorder(node, 2, 0, order)
        graph.reorder(after, 1, 1, order)


def nudge_biases(model: onnx.ModelProto) -> None:
    graph, random = Graph(model), np.random.default_rng(SEED)
    for node in graph.nodes:
        if node.op_type not in ("LSTM", "DynamicQuantizeLSTM"):
            continue
        values = numpy_helper.to_array(graph.constants[node.input[3]])
        ends = np.where(random.random(values.shape) < 0.5, np.inf, -np.inf).astype(values.dtype)
        graph.change(node.input[3], np.nextafter(values, ends))


def agreement(file: pathlib.Path, other: pathlib.Path, settings: dict[str, str]) -> test_quantised.Agreement:
    session = test_quantised.open_peer(other, settings)
    return test_quantised.compare(file, {}, lambda feed: session.run(None, feed)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", type=pathlib.Path, required=True, help="the program, which writes the samples")
    hone = parser.parse_args().hone
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        cases = [(*pair, reorder_channels) for pair in CHANNELS] + [(*pair, nudge_biases) for pair in BIASES]
        for name, way, change in cases:
            file, changed = test_quantised.quantise(hone, name, way, folder), folder / "changed.onnx"
            model = onnx.load(file)
            change(model)
            onnx.save(model, changed)
            print(f"{name}, {way}, {change.__name__}: {agreement(file, changed, {})}", flush=True)
        signed = test_quantised.quantise(hone, "mobilenet-v2", "QDQ signed", folder)
        print(f"mobilenet-v2, QDQ signed, in integers: {agreement(signed, signed, test_quantised.INTEGERS)}")


if __name__ == "__main__":
    main()
