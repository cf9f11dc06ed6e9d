"""Reads the text of a picture: where it is (detection), which way up (orientation), what it says (recognition)."""

import argparse
import pathlib
import sys
import tempfile
from typing import NamedTuple

import numpy as np
from PIL import Image

import boxes
import networks
from networks import Network, Reading

LEAST_TURN = 0.9  # probability from which a line is turned around
LEAST_SCORE = 0.5  # of a reading that is shown


class Line(NamedTuple):
    box: boxes.Box
    reading: Reading


def cut_out(picture: Image.Image, box: boxes.Box) -> Image.Image:
    """The box's contents as an upright rectangle; text that runs down is laid on its side."""
    upper_left, upper_right, lower_right, lower_left = box.corners
    width = max(np.linalg.norm(upper_right - upper_left), np.linalg.norm(lower_right - lower_left))
    height = max(np.linalg.norm(lower_left - upper_left), np.linalg.norm(lower_right - upper_right))
    corners = [*upper_left, *lower_left, *lower_right, *upper_right]
    line = picture.transform((max(1, round(width)), max(1, round(height))), Image.Transform.QUAD,
                             [float(value) for value in corners], Image.Resampling.BICUBIC)
    return line.transpose(Image.Transpose.ROTATE_90) if height > 1.5 * width else line


def read_picture(picture: Image.Image, detection: Network, orientation: Network, recognition: Network,
                 alphabet: list[str]) -> list[Line]:
    """The lines of text, from top to bottom."""
    shapes = networks.SHAPES
    height, width = shapes["detection"][2:]
    scale = min(width / picture.width, height / picture.height)
    scaled = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    probabilities = detection(networks.to_input(scaled, shapes["detection"]))[0, 0]
    lines = []
    for box in boxes.find_boxes(probabilities[:scaled.height, :scaled.width], scale, picture.size):
        line = cut_out(picture, box)
        upside_down = orientation(networks.line_input(line, shapes["orientation"]))[0, 1]
        if upside_down > LEAST_TURN:
            line = line.transpose(Image.Transpose.ROTATE_180)
        reading = networks.best_path(recognition(networks.line_input(line, shapes["recognition"]))[0], alphabet)
        if reading.score >= LEAST_SCORE:
            lines.append(Line(box, reading))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--models", type=pathlib.Path, required=True, help="the folder that fetch.py filled")
    parser.add_argument("--hone", type=pathlib.Path, default=pathlib.Path("hone"), help="the program (default: on PATH)")
    arguments = parser.parse_args()
    picture = Image.open(arguments.picture).convert("RGB")
    with tempfile.TemporaryDirectory() as folder:
        engines = {name: networks.HoneNetwork(arguments.hone, arguments.models / f"{name}.onnx", pathlib.Path(folder))
                   for name in networks.SHAPES}
        alphabet = networks.read_alphabet(arguments.models / "recognition.onnx")
        lines = read_picture(picture, **engines, alphabet=alphabet)
    if not lines:
        sys.exit("no text found")
    for line in lines:
        x, y = line.box.corners[0].round().astype(int)
        print(f"{line.reading.score:.3f}  ({x:4d},{y:4d})  {line.reading.text}")


if __name__ == "__main__":
    main()
