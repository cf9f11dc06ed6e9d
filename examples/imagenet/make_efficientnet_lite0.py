"""Writes EfficientNet-Lite0 with its ImageNet weights as an ONNX file (opset 13), from the PyTorch weights of 2020.

Input `images` float32 [1,3,224,224], RGB as (x - 127) / 128; output `logits` float32 [1,1000].
"""

import argparse
import pathlib
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import legacy_torch_file

IMAGE_SIZE = 224
BATCH_NORM_EPSILON = 1e-3


class Stage(NamedTuple):
    kernel: int
    stride: int  # of the first block; the others have 1
    expansion: int
    channels: int
    repeats: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
STEM_CHANNELS = 32


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME: the output has ceil(size / stride) rows, and the odd row of padding goes to the end."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Writer:
    """Collects nodes and weights; a value is known by its name. Follows the size of the (square) image."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.used: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.size = IMAGE_SIZE
        self.constant("zero", np.float32(0))
        self.constant("six", np.float32(6))

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def parameter(self, name: str, shape: tuple[int, ...]) -> str:
        value = self.weights[name]
        if value.shape != shape:
            raise ValueError(f"{name} has shape {value.shape} where the network needs {shape}")
        self.used.add(name)
        return self.constant(name, value)

    def node(self, kind: str, name: str, inputs: list[str], **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, name: str, data: str, channels: tuple[int, int], kernel: int = 1, stride: int = 1,
                    groups: int = 1) -> str:
        before, after = same_padding(self.size, kernel, stride)
        self.size = -(-self.size // stride)
        weight = self.parameter(f"{name}.weight", (channels[1], channels[0] // groups, kernel, kernel))
        return self.node("Conv", name, [data, weight], kernel_shape=[kernel, kernel], strides=[stride, stride],
                         pads=[before, before, after, after], group=groups)

    def batch_norm(self, name: str, data: str, channels: int) -> str:
        parameters = [self.parameter(f"{name}.{part}", (channels,))
                      for part in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", name, [data, *parameters], epsilon=BATCH_NORM_EPSILON)

    def relu6(self, data: str) -> str:
        return self.node("Clip", f"{data}.relu6", [data, "zero", "six"])


def write_block(writer: Writer, index: int, data: str, channels: tuple[int, int], stage: Stage, stride: int) -> str:
    """Expand, depthwise, project, and a shortcut where the shapes allow one."""
    name = f"_blocks.{index}"
    inputs, outputs = channels
    expanded = inputs * stage.expansion
    value = data
    if stage.expansion != 1:
        value = writer.convolution(f"{name}._expand_conv", value, (inputs, expanded))
        value = writer.relu6(writer.batch_norm(f"{name}._bn0", value, expanded))
    value = writer.convolution(f"{name}._depthwise_conv", value, (expanded, expanded), stage.kernel, stride, expanded)
    value = writer.relu6(writer.batch_norm(f"{name}._bn1", value, expanded))
    value = writer.convolution(f"{name}._project_conv", value, (expanded, outputs))
    value = writer.batch_norm(f"{name}._bn2", value, outputs)
    if stride == 1 and inputs == outputs:
        value = writer.node("Add", f"{name}.add", [value, data])
    return value


def make_model(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    writer = Writer(weights)
    value = writer.convolution("_conv_stem", "images", (3, STEM_CHANNELS), 3, 2)
    value = writer.relu6(writer.batch_norm("_bn0", value, STEM_CHANNELS))
    channels, index = STEM_CHANNELS, 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            value = write_block(writer, index, value, (channels, stage.channels), stage, stride)
            channels, index = stage.channels, index + 1
    classes, head_channels = weights["_fc.weight"].shape
    value = writer.convolution("_conv_head", value, (channels, head_channels))
    value = writer.relu6(writer.batch_norm("_bn1", value, head_channels))
    value = writer.node("GlobalAveragePool", "pool", [value])
    value = writer.node("Flatten", "flatten", [value], axis=1)
    fully_connected = [writer.parameter("_fc.weight", (classes, head_channels)),
                       writer.parameter("_fc.bias", (classes,))]
    writer.node("Gemm", "logits", [value, *fully_connected], transB=1)

    unused = {name for name in weights if not name.endswith(".num_batches_tracked")} - writer.used
    if unused:
        raise ValueError(f"the network has no place for {sorted(unused)}")
    graph = helper.make_graph(
        writer.nodes, "efficientnet-lite0",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, IMAGE_SIZE, IMAGE_SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])], writer.initializers)
    # IR version 7 is the one of opset 13, which every reader of this opset takes.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=pathlib.Path, help="efficientnet-lite0-57934424.pth")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="the .onnx file to write")
    arguments = parser.parse_args()
    onnx.save(make_model(legacy_torch_file.load(arguments.weights)), arguments.output)


if __name__ == "__main__":
    main()
