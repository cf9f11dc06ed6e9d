"""From the detection network's map of probabilities to rectangles around text (differentiable binarization).

Pixels above a threshold form regions; a region's smallest rectangle, in any direction, is grown again by what the network was trained
to shrink it.
"""

from typing import Iterator, NamedTuple

import numpy as np

THRESHOLD = 0.3  # of a pixel that belongs to text
LEAST_SCORE = 0.5  # mean over a region
GROWTH = 1.6  # times area / perimeter, to each side
LEAST_SIDE = 3.0  # pixels of the map


class Box(NamedTuple):
    """Corners (x, y), clockwise on the screen, the upper left one first."""

    corners: np.ndarray
    score: float


def regions(mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, columns) of the pixels of each region that hangs together, corners included."""
    parent: list[int] = []

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    runs: list[tuple[int, int, int]] = []  # row, first column, column after the last
    above: list[int] = []
    for row, values in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], values.astype(np.int8), [0]))))
        current = []
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
            run = len(runs)
            runs.append((row, first, end))
            parent.append(run)
            for other in above:
                if runs[other][1] <= end and first <= runs[other][2]:
                    parent[root(other)] = root(run)
            current.append(run)
        above = current
    members: dict[int, list[int]] = {}
    for run in range(len(runs)):
        members.setdefault(root(run), []).append(run)
    for group in members.values():
        columns = [np.arange(runs[run][1], runs[run][2]) for run in group]
        rows = [np.full(len(span), runs[run][0]) for run, span in zip(group, columns)]
        yield np.concatenate(rows), np.concatenate(columns)


def convex_hull(points: np.ndarray) -> np.ndarray:
    """By Andrew's monotone chain; `points` are (x, y) and may repeat."""
    ordered = sorted(set(map(tuple, points.tolist())))
    if len(ordered) < 3:
        return np.array(ordered, np.float64)

    def chain(sequence: list[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for x, y in sequence:
            while len(hull) > 1 and ((hull[-1][0] - hull[-2][0]) * (y - hull[-2][1])
                                     <= (hull[-1][1] - hull[-2][1]) * (x - hull[-2][0])):
                hull.pop()
            hull.append((x, y))
        return hull[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]), np.float64)


def smallest_rectangle(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle, unit directions (two rows) and sides of the smallest rectangle around `points`; one of its sides lies on
    the hull."""
    hull = convex_hull(points)
    steps = np.roll(hull, -1, axis=0) - hull
    lengths = np.linalg.norm(steps, axis=1)
    if not lengths.any():
        return hull[0], np.eye(2), np.zeros(2)
    best = None
    for along in steps[lengths > 0] / lengths[lengths > 0, None]:
        directions = np.array([along, [-along[1], along[0]]])
        projected = hull @ directions.T
        low, high = projected.min(axis=0), projected.max(axis=0)
        if best is None or np.prod(high - low) < best[0]:
            best = np.prod(high - low), (low + high) / 2 @ directions, directions, high - low
    return best[1:]


def ordered_corners(corners: np.ndarray) -> np.ndarray:
    """Clockwise on the screen, where y grows downwards, the upper left corner first."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    return np.array([left[0], right[0], right[1], left[1]])


def find_boxes(probabilities: np.ndarray, scale: float, size: tuple[int, int]) -> list[Box]:
    """Boxes in pixels of the picture, from top to bottom. A pixel of the map is 1 / `scale` of the picture's, whose `size` is
    (width, height)."""
    found = []
    for rows, columns in regions(probabilities > THRESHOLD):
        score = float(probabilities[rows, columns].mean())
        # A pixel is a square around its middle.
        points = np.concatenate([np.stack([columns + dx, rows + dy], axis=1) for dx in (0, 1) for dy in (0, 1)])
        middle, directions, sides = smallest_rectangle(points)
        if sides.min() < LEAST_SIDE or score < LEAST_SCORE:
            continue
        half = sides / 2 + GROWTH * sides.prod() / (2 * sides.sum())
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        corners = (middle + (signs * half) @ directions) / scale
        found.append(Box(ordered_corners(corners.clip(0, np.array(size) - 1)), score))
    return sorted(found, key=lambda box: tuple(box.corners.mean(axis=0)[::-1].round(3)))
