"""Turns photographs into a network's input: centre crop, bicubic scaling, normalisation, .npz."""

import argparse
import pathlib

import numpy as np
from PIL import Image

# x -> (x - mean) / deviation per RGB channel, x in 0..255
NORMALIZATIONS = {
    "efficientnet-lite": ([127.0, 127.0, 127.0], [128.0, 128.0, 128.0]),
    "imagenet": ([0.485 * 255, 0.456 * 255, 0.406 * 255], [0.229 * 255, 0.224 * 255, 0.225 * 255]),
}


def preprocess(photo: pathlib.Path, size: int, crop: float, normalization: str) -> np.ndarray:
    """float32 [1, 3, size, size]: the middle `crop` of the shorter side, scaled, normalised."""
    image = Image.open(photo).convert("RGB")
    side = round(min(image.size) * crop)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    mean, deviation = (np.array(values, np.float32) for values in NORMALIZATIONS[normalization])
    pixels = (np.asarray(image, np.float32) - mean) / deviation
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="the .npz file to write")
    parser.add_argument("--input-name", default="images", help="the network's input (default: %(default)s)")
    parser.add_argument("--size", type=int, default=224, help="pixels of a side (default: %(default)s)")
    parser.add_argument("--crop", type=float, default=0.875,
                        help="part of the photograph's shorter side that is kept (default: %(default)s)")
    parser.add_argument("--normalization", choices=sorted(NORMALIZATIONS), default="efficientnet-lite")
    arguments = parser.parse_args()
    data = preprocess(arguments.photo, arguments.size, arguments.crop, arguments.normalization)
    np.savez(arguments.output, **{arguments.input_name: data})


if __name__ == "__main__":
    main()
