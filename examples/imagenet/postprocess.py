"""Prints the most likely ImageNet labels of a network's output (.npz, as `hone run --outputs` writes it)."""

import argparse
import json
import pathlib

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def top_labels(logits: np.ndarray, names: dict[str, str], count: int) -> list[tuple[str, float]]:
    """The `count` most likely (label, probability), best first."""
    probabilities = softmax(logits.astype(np.float64).reshape(-1))
    best = np.argsort(-probabilities, kind="stable")[:count]
    return [(names[str(index)], float(probabilities[index])) for index in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=pathlib.Path)
    parser.add_argument("--labels", type=pathlib.Path, required=True, help="labels.json: class index -> name")
    parser.add_argument("--top", type=int, default=5)
    arguments = parser.parse_args()
    names = json.loads(arguments.labels.read_text())
    with np.load(arguments.predictions) as predictions:
        logits = predictions["output_0"]
    for label, probability in top_labels(logits, names, arguments.top):
        print(f"  {probability:6.4f}  {label}")


if __name__ == "__main__":
    main()
