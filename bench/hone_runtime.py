"""hone's runtime from Python: ctypes over the C ABI of runtime/include/hone_runtime.h, as much of it as tests and benchmarks need.

The library is the one that the environment variable HONE_RUNTIME_LIBRARY names.
"""

import ctypes
import dataclasses
import functools
import os

import numpy as np

# in the order of hone_dtype; bfloat16 has no numpy type
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", None, "float32",
          "float64")


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_size_t)]


class ContextOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("threads", ctypes.c_int32), ("pin", ctypes.c_int32),
                ("spin_us", ctypes.c_int32)]


@dataclasses.dataclass(frozen=True)
class Tensor:
    index: int
    name: str
    dtype: str
    shape: list[int]


@functools.cache
def library() -> ctypes.CDLL:
    loaded = ctypes.CDLL(os.environ["HONE_RUNTIME_LIBRARY"])
    loaded.hone_last_error.restype = ctypes.c_char_p
    loaded.hone_version.restype = ctypes.c_char_p
    loaded.hone_session_run.argtypes = [ctypes.c_void_p]
    return loaded


def version() -> str:
    return library().hone_version().decode()


def call(function: str, *arguments: object) -> None:
    if getattr(library(), function)(*arguments) != 0:
        raise RuntimeError(library().hone_last_error().decode())


class Session:
    """A loaded artifact with threads and memory of its own; lives until the process ends."""

    def __init__(self, artifact: str, threads: int) -> None:
        context, model, session = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        options = ContextOptions(ctypes.sizeof(ContextOptions), threads, 0, -1)
        call("hone_context_create", ctypes.byref(options), ctypes.byref(context))
        call("hone_model_load", os.fsencode(artifact), ctypes.c_uint32(0), ctypes.byref(model))
        call("hone_session_create", context, model, ctypes.byref(session))
        self.session = session
        self.inputs = self._tensors("input", model)
        self.outputs = self._tensors("output", model)
        self._run = library().hone_session_run

    @staticmethod
    def _tensors(kind: str, model: ctypes.c_void_p) -> list[Tensor]:
        tensors = []
        for index in range(getattr(library(), f"hone_model_{kind}_count")(model)):
            info = TensorInfo()
            call(f"hone_model_{kind}", model, ctypes.c_int32(index), ctypes.byref(info))
            tensors.append(Tensor(index, info.name.decode(), DTYPES[info.dtype], info.shape[:info.rank]))
        return tensors

    def set_input(self, name: str, value: np.ndarray) -> None:
        tensor = next(tensor for tensor in self.inputs if tensor.name == name)
        if list(value.shape) != tensor.shape or value.dtype != tensor.dtype:
            raise ValueError(f"{name} is {tensor.dtype}{tensor.shape}, not {value.dtype}{list(value.shape)}")
        value = np.ascontiguousarray(value)
        call("hone_session_set_input", self.session, ctypes.c_int32(tensor.index), value.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_size_t(value.nbytes))

    def run(self) -> None:
        if self._run(self.session) != 0:
            raise RuntimeError(library().hone_last_error().decode())

    def output(self, name: str) -> np.ndarray:
        tensor = next(tensor for tensor in self.outputs if tensor.name == name)
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        call("hone_session_get_output", self.session, ctypes.c_int32(tensor.index), ctypes.byref(data), ctypes.byref(size))
        raw = ctypes.string_at(data, size.value)
        shape, rank = ctypes.POINTER(ctypes.c_int64)(), ctypes.c_int32()
        call("hone_session_get_output_shape", self.session, ctypes.c_int32(tensor.index), ctypes.byref(shape),
             ctypes.byref(rank))
        return np.frombuffer(raw, tensor.dtype).reshape([shape[i] for i in range(rank.value)]).copy()
