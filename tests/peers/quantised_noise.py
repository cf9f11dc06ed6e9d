"""How far ONNX Runtime agrees with itself on quantised samples when something changes that means little: the order of channels
within the blocks of a network, the last bit of a recurrent layer's biases, floats or integers. And how far it and hone agree
with a third program on dynamically quantised LSTMs, whose activations are computed in float64.

Prints figures of docs/design/decisions.md; none is a bar.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import test_quantised
from test_quantised import peer

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


def quantised(values: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Integers around 0, as DynamicQuantizeLinear gives them, and their scale."""
    low, high = min(values.min(), np.float32(0)), max(values.max(), np.float32(0))
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero = np.rint(-low / scale)
    return np.clip(np.rint(values / scale) + zero, 0, 255) - zero, scale


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


class DynamicQuantizeLSTM(OpRun):
    """What the sample needs of it: zeros as first states, no lengths, peepholes or clip. Sums are exact."""
    op_domain = "com.microsoft"

    def _run(self, x, w, r, b, lengths, h, c, p, w_scale, w_zero, r_scale, r_zero, **attributes):  # pylint: disable=all
        steps, batch, _ = x.shape
        directions, hidden, _ = r.shape
        result = np.zeros((steps, directions, batch, hidden), np.float32)
        data, data_scale = quantised(x)

        def product(integers, scale, weights, zero, weight_scale):
            sums = integers.astype(np.float64) @ (weights.astype(np.float64) - zero)
            return sums.astype(np.float32) * (scale * weight_scale)

        for d in range(directions):
            inputs = product(data, data_scale, w[d], w_zero[d], w_scale[d])
            bias = b[d, :4 * hidden] + b[d, 4 * hidden:]
            state, cell = np.zeros((batch, hidden), np.float32), np.zeros((batch, hidden))
            for step in range(steps) if d == 0 else reversed(range(steps)):
                sums = inputs[step] + product(*quantised(state), r[d], r_zero[d], r_scale[d]) + bias
                enter, show, keep, fresh = np.split(sums.astype(np.float64), 4, axis=-1)
                cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(fresh)
                state = (sigmoid(show) * np.tanh(cell)).astype(np.float32)
                result[step, d] = state
        return result, result[-1], cell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", type=pathlib.Path, required=True, help="the program")
    hone = parser.parse_args().hone
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for name, way, change in [(*pair, reorder_channels) for pair in CHANNELS] + [(*pair, nudge_biases) for pair in BIASES]:
            file, changed = test_quantised.quantise(hone, name, way, folder), folder / "changed.onnx"
            model = onnx.load(file)
            change(model)
            onnx.save(model, changed)
            agreement = test_quantised.compare(file, peer(file, {}), peer(changed, {}))
            print(f"{name}, {way}, {change.__name__}: {agreement}", flush=True)
        file = test_quantised.quantise(hone, "mobilenet-v2", "QDQ signed", folder)
        agreement = test_quantised.compare(file, peer(file, {}), peer(file, test_quantised.INTEGERS))
        print(f"mobilenet-v2, QDQ signed, floats and integers: {agreement}", flush=True)
        for way in ("dynamic", "dynamic per channel"):
            file = test_quantised.quantise(hone, "lstm-tagger", way, folder)
            model = onnx.load(file)
            # The evaluator has DequantizeLinear from 19 on; what the sample uses means the same there.
            next(opset for opset in model.opset_import if not opset.domain).version = 21
            third = ReferenceEvaluator(model, new_ops=[DynamicQuantizeLSTM])
            for who, run in (("ONNX Runtime", peer(file, {})), ("hone", test_quantised.compiled(hone, file))):
                agreement = test_quantised.compare(file, lambda feed: third.run(None, feed)[0], run)
                print(f"lstm-tagger, {way}, {who} and the third: {agreement}", flush=True)


if __name__ == "__main__":
    main()
