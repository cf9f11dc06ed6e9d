"""The OCR example on its picture: hone's networks read what was drawn, and so do ONNX Runtime's; at every step on the way both
networks' outputs lie within 3e-4 of the largest output of each other."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

import draw_picture
import networks
import read_text

TOLERANCE = 3e-4


class Both:
    """A network that answers as hone does and compares with ONNX Runtime."""

    def __init__(self, name: str, ours: networks.Network, theirs: networks.Network) -> None:
        self.name, self.ours, self.theirs = name, ours, theirs
        self.calls, self.worst = 0, 0.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        value, expected = self.ours(x), self.theirs(x)
        if value.shape != expected.shape or value.dtype != expected.dtype:
            raise AssertionError(f"{self.name}: {value.dtype}{value.shape} instead of {expected.dtype}{expected.shape}")
        error = float(np.abs(value - expected).max() / np.abs(expected).max())
        self.calls += 1
        self.worst = error if not error <= self.worst else self.worst  # a NaN stays
        return value


def peer(model: pathlib.Path) -> networks.Network:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def check_program(hone: pathlib.Path, models: pathlib.Path, picture: pathlib.Path, texts: list[str]) -> None:
    """What a person types."""
    program = pathlib.Path(read_text.__file__)
    result = subprocess.run([sys.executable, program, picture, "--models", models, "--hone", hone], check=True,
                            capture_output=True, text=True)
    printed = [line.split(")  ", 1)[1] for line in result.stdout.splitlines()]
    if printed != texts:
        raise AssertionError(f"read_text.py prints {printed}, the pipeline reads {texts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", type=pathlib.Path, required=True, help="the program")
    parser.add_argument("--models", type=pathlib.Path, required=True, help="the folder that examples/ocr/fetch.py filled")
    arguments = parser.parse_args()
    picture = draw_picture.draw()
    alphabet = networks.read_alphabet(arguments.models / "recognition.onnx")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        models = {name: arguments.models / f"{name}.onnx" for name in networks.SHAPES}
        peers = {name: peer(model) for name, model in models.items()}
        both = {name: Both(name, networks.HoneNetwork(arguments.hone, model, folder), peers[name])
                for name, model in models.items()}
        ours = [line.reading.text for line in read_text.read_picture(picture, **both, alphabet=alphabet)]
        theirs = [line.reading.text for line in read_text.read_picture(picture, **peers, alphabet=alphabet)]
        print("\n".join(ours))
        for network in both.values():
            print(f"{network.name}: {network.calls} calls, max|diff| = {network.worst:.2e} of max|output|")
        file = folder / "picture.png"
        picture.save(file)
        check_program(arguments.hone, arguments.models, file, ours)
    if ours != theirs:
        sys.exit(f"hone reads {ours}, ONNX Runtime {theirs}")
    if sorted(ours) != sorted(line.text for line in draw_picture.LINES):
        sys.exit(f"the picture says {[line.text for line in draw_picture.LINES]}, but {ours} was read")
    wrong = [network.name for network in both.values() if not network.worst <= TOLERANCE or network.calls == 0]
    if wrong:
        sys.exit(f"disagrees with ONNX Runtime: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
