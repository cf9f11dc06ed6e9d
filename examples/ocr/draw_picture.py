"""Draws a picture with text whose every line is known, one of them upside down, one aslant, in Pillow's own font."""

import argparse
import pathlib
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

SIZE = (800, 600)
PAPER = (236, 230, 214)


class Line(NamedTuple):
    text: str
    middle: tuple[int, int]
    height: int  # of the font, in pixels
    degrees: float  # anticlockwise
    ink: tuple[int, int, int]


LINES = (
    Line("HONE 2026", (400, 70), 64, 0, (20, 20, 30)),
    Line("neural networks", (250, 165), 40, 0, (120, 30, 20)),
    Line("to native code", (580, 165), 36, 0, (20, 80, 40)),
    Line("turn me around", (400, 255), 40, 180, (20, 30, 120)),
    Line("Price: 12.50 EUR", (240, 370), 40, 10, (30, 30, 30)),
    Line("Gate B42", (600, 370), 56, 0, (200, 40, 30)),
    Line("compile, tune, run", (400, 490), 44, -4, (60, 20, 90)),
)


def draw() -> Image.Image:
    picture = Image.new("RGB", SIZE, PAPER)
    for line in LINES:
        font = ImageFont.load_default(line.height)
        left, top, right, bottom = font.getbbox(line.text)
        margin = line.height // 2
        stamp = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin))
        ImageDraw.Draw(stamp).text((margin - left, margin - top), line.text, fill=255, font=font)
        stamp = stamp.rotate(line.degrees, Image.Resampling.BICUBIC, expand=True)
        corner = (line.middle[0] - stamp.width // 2, line.middle[1] - stamp.height // 2)
        picture.paste(Image.new("RGB", stamp.size, line.ink), corner, stamp)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=pathlib.Path, help="the file to write")
    draw().save(parser.parse_args().picture)


if __name__ == "__main__":
    main()
