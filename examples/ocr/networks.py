"""The three networks, by hone or by another engine behind the same call; and the pictures that they read.

All take RGB pictures here; the networks were trained with the channels in the order blue, green, red, x -> x / 127.5 - 1.
"""

import pathlib
import subprocess
import tempfile
from typing import NamedTuple, Protocol

import numpy as np
import onnx
from PIL import Image

# name -> shape of the input `x`; the files leave all of it open but the channels
SHAPES = {"detection": (1, 3, 640, 640), "orientation": (1, 3, 48, 192), "recognition": (1, 3, 48, 320)}


class Network(Protocol):
    def __call__(self, x: np.ndarray) -> np.ndarray: ...


class HoneNetwork:
    """A network that `hone compile` made for this machine and `hone run` runs."""

    def __init__(self, hone: pathlib.Path, model: pathlib.Path, folder: pathlib.Path) -> None:
        self.hone = hone
        self.artifact = folder / f"{model.stem}.tar"
        shape = ",".join(map(str, SHAPES[model.stem]))
        subprocess.run([hone, "compile", "--target", "llvm", "--input-shapes", f"x:[{shape}]",
                        "--output", self.artifact, model], check=True)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            source, sink = pathlib.Path(folder, "in.npz"), pathlib.Path(folder, "out.npz")
            np.savez(source, x=x)
            subprocess.run([self.hone, "run", "--inputs", source, "--outputs", sink, self.artifact], check=True)
            with np.load(sink) as outputs:
                return outputs["output_0"]


def read_alphabet(model: pathlib.Path) -> list[str]:
    """What each class of the recognition network stands for: nothing, the letters that its metadata list, a space."""
    properties = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    return ["", *properties["character"].splitlines(), " "]


def to_input(picture: Image.Image, shape: tuple[int, ...]) -> np.ndarray:
    """The picture in the upper left corner of an input of this shape; the rest is zero."""
    pixels = np.asarray(picture, np.float32)[..., ::-1] / np.float32(127.5) - 1
    x = np.zeros(shape, np.float32)
    x[0, :, :picture.height, :picture.width] = pixels.transpose(2, 0, 1)
    return x


def line_input(line: Image.Image, shape: tuple[int, ...]) -> np.ndarray:
    """A line of text, scaled to the input's height."""
    height, width = shape[2:]
    scaled = min(width, max(1, round(line.width * height / line.height)))
    return to_input(line.resize((scaled, height), Image.Resampling.BILINEAR), shape)


class Reading(NamedTuple):
    text: str
    score: float  # mean probability of its letters


def best_path(probabilities: np.ndarray, alphabet: list[str]) -> Reading:
    """Connectionist temporal classification: the likeliest class at each step, where repetitions and blanks drop out."""
    if probabilities.shape[1] != len(alphabet):
        raise ValueError(f"the network has {probabilities.shape[1]} classes, its alphabet {len(alphabet)}")
    classes = probabilities.argmax(axis=1)
    kept = (classes != 0) & (np.diff(classes, prepend=0) != 0)
    text = "".join(alphabet[index] for index in classes[kept])
    return Reading(text, float(probabilities.max(axis=1)[kept].mean()) if kept.any() else 0.0)
