"""Reads the state dict of a .pth file in the format that PyTorch wrote before version 1.6, with numpy alone.

Such a file is a row of pickles followed by raw data:

    magic number | protocol version | system info | state dict | list of storage keys | storage, storage, …

In the state dict every tensor is a view: a storage's key, an offset and strides in elements. The storages follow
in the order of the list, each as an int64 count and that many values. Pickle can run any code, so the unpickler
here knows the four names that a state dict needs and refuses all others.
"""

import collections
import dataclasses
import pathlib
import pickle
import struct
from typing import Any, BinaryIO

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


@dataclasses.dataclass(frozen=True)
class Storage:
    """What the state dict says of a storage before its values have been read."""

    key: str
    dtype: np.dtype
    count: int


@dataclasses.dataclass(frozen=True)
class View:
    """A tensor: shape and strides, in elements, over a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, values: np.ndarray) -> np.ndarray:
        """The tensor as a contiguous array of its own."""
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        if self.offset < 0 or any(stride < 0 for stride in self.strides) or last >= len(values):
            raise ValueError(f"a tensor reaches element {last} of storage {self.storage.key}, which has {len(values)}")
        size = values.itemsize
        view = np.lib.stride_tricks.as_strided(
            values[self.offset:], self.shape, [stride * size for stride in self.strides], writeable=False)
        return np.ascontiguousarray(view).reshape(self.shape)


class StateDictUnpickler(pickle.Unpickler):
    """Builds Views; runs nothing."""

    NAMES: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: View(
            storage, offset, tuple(shape), tuple(strides)),
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"a state dict has no use for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown persistent object {pid!r}")
        return Storage(key, dtype, count)


def read_storage(file: BinaryIO, storage: Storage) -> np.ndarray:
    (count,) = struct.unpack("<q", file.read(8))
    if count != storage.count:
        raise ValueError(f"storage {storage.key} has {count} values where the state dict promised {storage.count}")
    values = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    if len(values) != count:
        raise ValueError(f"the file ends inside storage {storage.key}")
    return values


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The state dict of `path`: parameter name -> array."""
    with open(path, "rb") as file:
        magic, protocol, system, views, keys = (StateDictUnpickler(file).load() for _ in range(5))
        if magic != MAGIC or protocol != PROTOCOL or not system["little_endian"]:
            raise ValueError(f"{path} is not a little-endian file of PyTorch's format {PROTOCOL}")
        storages = {view.storage.key: view.storage for view in views.values()}
        values = {key: read_storage(file, storages[key]) for key in keys}
    return {name: view.of(values[view.storage.key]) for name, view in views.items()}
