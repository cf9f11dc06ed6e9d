"""A small model for each family of operators, in ONNX's text form: what it is called, its inputs, its nodes.

An input whose name begins with w is a weight: constant, with values from a seed; one of integers that begins with i holds indices below
the extent after the colon. Sizes are those of layers that people have: between some ten microseconds and some milliseconds.
"""

import re
from typing import Iterator, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

OPSET = 17  # opset 18's ReduceXxx take their axes otherwise, and nothing here needs it


class Case(NamedTuple):
    family: str
    inputs: str
    nodes: str  # y is the output
    output: str = "float"


IMAGE = "float[1,64,56,56] x"
ROWS = "float[128,768] x"
TOKENS = "float[1,128,768] x"

CASES = (
    Case("convolution, 3x3", f"{IMAGE}, float[64,64,3,3] w", "y = Conv<pads=[1,1,1,1]>(x, w)"),
    Case("convolution, 1x1, stride 2", f"{IMAGE}, float[128,64,1,1] w", "y = Conv<strides=[2,2]>(x, w)"),
    Case("convolution, depthwise 5x5", f"{IMAGE}, float[64,1,5,5] w", "y = Conv<pads=[2,2,2,2], group=64>(x, w)"),
    Case("convolution, 4 groups", f"{IMAGE}, float[64,16,3,3] w", "y = Conv<pads=[1,1,1,1], group=4>(x, w)"),
    Case("convolution, dilated", f"{IMAGE}, float[64,64,3,3] w", "y = Conv<pads=[2,2,2,2], dilations=[2,2]>(x, w)"),
    Case("convolution, one dimension", "float[1,64,1000] x, float[128,64,5] w", "y = Conv<pads=[2,2]>(x, w)"),
    Case("convolution, three dimensions", "float[1,16,16,28,28] x, float[32,16,3,3,3] w", "y = Conv<pads=[1,1,1,1,1,1]>(x, w)"),
    Case("transposed convolution, 2x2", f"{IMAGE}, float[64,32,2,2] w", "y = ConvTranspose<strides=[2,2]>(x, w)"),
    Case("transposed convolution, 4x4", "float[1,64,28,28] x, float[64,32,4,4] w",
         "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1]>(x, w)"),
    Case("maximum pool", IMAGE, "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)"),
    Case("average pool", IMAGE, "y = AveragePool<kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1]>(x)"),
    Case("Lp pool", IMAGE, "y = LpPool<kernel_shape=[2,2], strides=[2,2], p=2>(x)"),
    Case("global average pool", IMAGE, "y = GlobalAveragePool(x)"),
    Case("batch norm", f"{IMAGE}, float[64] wa, float[64] wb, float[64] wc, float[64] wpositive",
         "z = BatchNormalization(x, wa, wb, wc, wpositive) y = Relu(z)"),
    Case("layer norm", f"{TOKENS}, float[768] wa, float[768] wb", "y = LayerNormalization(x, wa, wb)"),
    Case("instance norm", f"{IMAGE}, float[64] wa, float[64] wb", "y = InstanceNormalization(x, wa, wb)"),
    Case("mean and variance norm", IMAGE, "y = MeanVarianceNormalization(x)"),
    Case("local response norm", IMAGE, "y = LRN<size=5>(x)"),
    Case("Gemm, 128 rows", f"{ROWS}, float[768,768] w, float[768] wb", "y = Gemm(x, w, wb)"),
    Case("Gemm, one row", "float[1,2048] x, float[1000,2048] w, float[1000] wb", "y = Gemm<transB=1>(x, w, wb)"),
    Case("matrix product, batched", "float[12,128,64] x, float[12,64,128] z", "y = MatMul(x, z)"),
    Case("Einsum", "float[1,12,128,64] x, float[1,12,128,64] z", 'y = Einsum<equation="bhid,bhjd->bhij">(x, z)'),
    Case("arithmetic with broadcasting", f"{IMAGE}, float[64,1,1] z", "a = Mul(x, z) y = Add(a, x)"),
    Case("division and power", f"{ROWS}, float[768] wpositive", "a = Abs(x) b = Div(a, wpositive) y = Pow(b, wpositive)"),
    Case("comparison and choice", ROWS, "a = Abs(x) b = Greater(x, a) c = Neg(x) y = Where(b, x, c)"),
    Case("logic", "bool[128,768] x, bool[128,768] z", "a = And(x, z) b = Xor(a, z) y = Not(b)", "bool"),
    Case("trigonometry", ROWS, "a = Sin(x) b = Cos(a) y = Atan(b)"),
    Case("rounding", ROWS, "a = Floor(x) b = Round(x) y = Add(a, b)"),
    Case("sigmoid and tanh", ROWS, "a = Sigmoid(x) y = Tanh(a)"),
    Case("SiLU", IMAGE, "a = Sigmoid(x) y = Mul(x, a)"),
    Case("exponential activations", ROWS, "a = Elu(x) b = Softplus(a) y = Selu(b)"),
    Case("hard activations", ROWS, "a = HardSigmoid(x) b = HardSwish(a) y = LeakyRelu(b)"),
    Case("error function", ROWS, "y = Erf(x)"),
    Case("softmax", "float[12,128,128] x", "y = Softmax<axis=-1>(x)"),
    Case("log softmax", "float[128,1000] x", "y = LogSoftmax<axis=-1>(x)"),
    Case("softmax along the middle", "float[1,16,4,2100] x", "y = Softmax<axis=1>(x)"),
    Case("hardmax", "float[128,1000] x", "y = Hardmax<axis=-1>(x)"),
    Case("reduction, inner", "float[1,128,3136] x", "y = ReduceMean<axes=[2]>(x)"),
    Case("reduction, outer", "float[1,128,3136] x", "y = ReduceMax<axes=[1]>(x)"),
    Case("reduction, log sum exp", "float[128,1000] x", "y = ReduceLogSumExp<axes=[1]>(x)"),
    Case("index of the largest", "float[128,1000] x", "y = ArgMax<axis=1>(x)", "int64"),
    Case("cumulative sum", "float[128,1000] x, int64[] waxis", "y = CumSum(x, waxis)"),
    Case("largest k", "float[64,1000] x, int64[1] wk", "y, z = TopK(x, wk)"),
    Case("transpose", "float[1,128,12,64] x", "y = Transpose<perm=[0,2,1,3]>(x)"),
    Case("transpose to channels last", IMAGE, "y = Transpose<perm=[0,2,3,1]>(x)"),
    Case("concatenation", f"{IMAGE}, float[1,32,56,56] z", "y = Concat<axis=1>(x, z)"),
    Case("split", IMAGE, "a, b = Split<axis=1>(x) y = Sub(a, b)"),
    Case("slice", IMAGE, "s = Constant<value_ints=[0,0]>() e = Constant<value_ints=[56,56]>() "
                         "a = Constant<value_ints=[2,3]>() t = Constant<value_ints=[2,2]>() y = Slice(x, s, e, a, t)"),
    Case("padding, constant", IMAGE, "p = Constant<value_ints=[0,0,1,1,0,0,1,1]>() y = Pad(x, p)"),
    Case("padding, reflected", IMAGE, 'p = Constant<value_ints=[0,0,3,3,0,0,3,3]>() y = Pad<mode="reflect">(x, p)'),
    Case("gather", "float[30522,384] w, int64[1,128] i:30522", "y = Gather(w, i)"),
    Case("gather elements", "float[128,1000] x, int64[128,200] i:1000", "y = GatherElements<axis=1>(x, i)"),
    Case("gather by coordinates", "float[128,1000] x, int64[5000,2] i:128", "y = GatherND(x, i)"),
    Case("scatter elements", "float[128,1000] x, int64[128,200] i:1000, float[128,200] u",
         'y = ScatterElements<axis=1, reduction="add">(x, i, u)'),
    Case("scatter by coordinates", "float[1000,64] x, int64[200,1] i:1000, float[200,64] u",
         'y = ScatterND<reduction="add">(x, i, u)'),
    Case("expansion", "float[1,64,1,56] x", "s = Constant<value_ints=[1,64,56,56]>() y = Expand(x, s)"),
    Case("tiling", "float[1,64,28,28] x", "s = Constant<value_ints=[1,1,2,2]>() y = Tile(x, s)"),
    Case("cast", "int32[128,768] x", "y = Cast<to=1>(x)"),
    Case("one hot", "int64[512] i:100, int64[] wdepth, float[2] w", "y = OneHot(i, wdepth, w)"),
    Case("triangle", "float[12,128,128] x", "y = Trilu<upper=0>(x)"),
    Case("resize, nearest", IMAGE, 'e = Constant<value_floats=[1.0,1.0,2.0,2.0]>() y = Resize<mode="nearest", '
         'coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , e)'),
    Case("resize, linear", IMAGE, 'e = Constant<value_floats=[1.0,1.0,2.0,2.0]>() y = Resize<mode="linear">(x, , e)'),
    Case("resize, cubic", "float[1,16,56,56] x",
         'e = Constant<value_floats=[1.0,1.0,2.0,2.0]>() y = Resize<mode="cubic">(x, , e)'),
    Case("depth to space", IMAGE, "y = DepthToSpace<blocksize=2>(x)"),
    Case("space to depth", IMAGE, "y = SpaceToDepth<blocksize=2>(x)"),
    Case("LSTM", "float[64,1,128] x, float[1,1024,128] w, float[1,1024,256] wr, float[1,2048] wb",
         "y = LSTM<hidden_size=256>(x, w, wr, wb)"),
    Case("GRU", "float[64,1,128] x, float[1,768,128] w, float[1,768,256] wr, float[1,1536] wb",
         "y = GRU<hidden_size=256, linear_before_reset=1>(x, w, wr, wb)"),
    Case("RNN", "float[64,1,128] x, float[1,256,128] w, float[1,256,256] wr, float[1,512] wb",
         "y = RNN<hidden_size=256>(x, w, wr, wb)"),
    Case("Fourier transform", "float[1,400,100,1] x", "y = DFT<axis=1, onesided=1>(x)"),
    Case("Fourier transform of frames", "float[1,16000] x, int64[] wstep, float[400] w", "y = STFT(x, wstep, w)"),
    Case("quantize and dequantize", f"{ROWS}, float[] wscale, uint8[] wzero",
         "a = QuantizeLinear(x, wscale, wzero) y = DequantizeLinear(a, wscale, wzero)"),
    Case("dynamic quantization", ROWS, "y, s, z = DynamicQuantizeLinear(x)", "uint8"),
    Case("integer matrix product", "uint8[128,768] x, int8[768,768] w", "y = MatMulInteger(x, w)", "int32"),
    Case("integer convolution", "uint8[1,64,28,28] x, uint8[64,64,3,3] w", "y = ConvInteger<pads=[1,1,1,1]>(x, w)", "int32"),
    Case("quantized matrix product", "uint8[128,768] x, float[] wscale, uint8[] wzero, uint8[768,768] w",
         "y = QLinearMatMul(x, wscale, wzero, w, wscale, wzero, wscale, wzero)", "uint8"),
    Case("quantized convolution", "uint8[1,64,28,28] x, float[] wscale, uint8[] wzero, uint8[64,64,3,3] w",
         "y = QLinearConv<pads=[1,1,1,1]>(x, wscale, wzero, w, wscale, wzero, wscale, wzero)", "uint8"),
    Case("float64", "double[128,768] x, double[768] z", "a = Mul(x, z) y = Add(a, x)", "double"),
    Case("float16", "float16[128,768] x, float16[768] z", "a = Mul(x, z) y = Add(a, x)", "float16"),
    Case("bits", "uint8[128,768] x, uint8[128,768] z", 'y = BitShift<direction="LEFT">(x, z)', "uint8"),
)

# values of weights that are not arbitrary
FIXED = {"waxis": 1, "wk": 10, "wdepth": 100, "wscale": 0.05, "wzero": 128, "wstep": 160}


def weight(name: str, dtype: np.dtype, shape: list[int], generator: np.random.Generator) -> np.ndarray:
    if name in FIXED:
        return np.full(shape, FIXED[name], dtype)
    if np.issubdtype(dtype, np.integer):
        return generator.integers(0, 100, shape).astype(dtype)
    values = generator.standard_normal(shape)
    if name == "wpositive":
        return (1 + np.abs(values)).astype(dtype)
    return (values / np.sqrt(np.prod(shape[1:]) or 1)).astype(dtype)


def make_model(case: Case, seed: int) -> tuple[bytes, dict[str, int]]:
    """The model, and the bounds of its inputs of indices."""
    bounds = {name: int(bound) for name, bound in re.findall(r"(\w+):(\d+)", case.inputs)}
    declared = re.sub(r":\d+", "", case.inputs)
    text = f'<ir_version: 8, opset_import: ["": {OPSET}]> family ({declared}) => ({case.output} y) {{ {case.nodes} }}'
    model = onnx.parser.parse_model(text)
    generator = np.random.default_rng(seed)
    for value in [value for value in model.graph.input if value.name.startswith("w")]:
        tensor = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        values = weight(value.name, dtype, [dim.dim_value for dim in tensor.shape.dim], generator)
        model.graph.initializer.append(numpy_helper.from_array(values, value.name))
        model.graph.input.remove(value)
    # A value without a shape is one whose rank is not known; the text form cannot say so.
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model.SerializeToString(), bounds


def selected(words: list[str]) -> Iterator[Case]:
    """The cases whose names hold one of the words; all, if there are none."""
    for case in CASES:
        if not words or any(word in case.family for word in words):
            yield case
