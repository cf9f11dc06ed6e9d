"""Inputs for a network from a seed: floats around zero; for integers, what language models read."""

import numpy as np


def make_input(name: str, dtype: str, shape: list[int], generator: np.random.Generator) -> np.ndarray:
    if "float" in dtype:
        return generator.standard_normal(shape).astype(dtype)
    if "mask" in name:
        mask = np.ones(shape, dtype)
        mask[..., shape[-1] * 3 // 4:] = 0  # a sentence shorter than the sequence
        return mask
    if "type" in name:
        return (np.arange(np.prod(shape)).reshape(shape) % shape[-1] >= shape[-1] // 2).astype(dtype)
    return generator.integers(0, 1000, shape).astype(dtype)


def make_inputs(tensors: list[tuple[str, str, list[int]]], seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: make_input(name, dtype, shape, generator) for name, dtype, shape in tensors}
