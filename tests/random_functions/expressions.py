"""Expressions of smooth, bounded NumPy functions, by the shape of what they give."""

from __future__ import annotations

import random
from typing import Any

SHAPES = {"s": (), "p": (2,), "v": (3,), "m": (2, 3)}

# {same} is one expression of the result's shape wherever it stands, {x} another each time;
# {s}, {p}, {v}, {m} are of a number, a pair, a vector, a matrix.
ANY = (
    "np.sin({x})", "np.tanh({x})", "np.exp(-({same}) * ({same}))", "-{x}", "np.sqrt(1 + np.square({x}))",
    "({x} + {x})", "({x} - {x})", "({x} * {x})", "{x} / (2 + np.cos({x}))", "np.maximum({x}, {x})",
    "np.where({same} > 0.1, {same}, 0.5 * {x})", "({x} * {s})", "0.3 * {x} ** 2", "np.arctan({x})",
    "(1.5 - {x})", "np.clip({x}, -2, 2)", "np.abs({x})",
)  # fmt: skip
OF_SHAPE = {
    "s": (
        "np.sum({v})", "np.mean({m})", "np.max({p})", "np.linalg.norm({v})", "({v} @ {v})",
        "np.dot({p}, {p})", "np.reshape({v}, 3)[1]", "np.var({m})", "np.prod({p})",
        "np.trace({m} @ np.transpose({m}))",
    ),
    "p": (
        "np.stack([{s}, {s}])", "({m} @ {v})", "np.mean({m}, axis=1)", "np.concatenate([{v}, {p}])[1:3]",
        "np.max({m}, axis=1)",
    ),
    "v": (
        "np.sum({m}, axis=0)", "({p} @ {m})", "np.concatenate([{p}, {p}])[:3]", "np.cumsum({v})",
        "np.flip({v})", "np.stack([{s}, {s}, {s}])", "np.roll({v}, 1)", "np.ravel(np.reshape({v}, (3, 1)))",
    ),
    "m": (
        "np.outer({p}, {v})", "np.stack([{v}, {v}])", "({m} * {v})", "np.reshape(np.tile({p}, 3), (2, 3))",
        "np.transpose(np.reshape({m}, (3, 2)))", "(np.reshape({p}, (2, 1)) + {v})",
        "np.broadcast_to({v}, (2, 3))",
    ),
}  # fmt: skip
CONSTANTS = {
    "s": "0.7", "p": "np.array([0.4, -0.9])", "v": "np.array([0.5, -0.25, 1.5])",
    "m": "np.array([[0.2, -0.4, 0.6], [1.1, 0.3, -0.7]])",
}  # fmt: skip


class Expressions:
    """Draws expressions over names whose shapes are known.

    Attributes
    ----------
    names : dict of str to str
        The shape, as a letter, of each name or other text that stands for an array.
    """

    def __init__(self, rng: random.Random, names: dict[str, str]) -> None:
        self.rng = rng
        self.names = names

    def name(self, shape: str) -> str:
        """Give a name of that shape, or a constant where there is none."""
        known = [name for name, its in self.names.items() if its == shape]
        return self.rng.choice(known) if known else CONSTANTS[shape]

    def value(self, shape: str, depth: int = 2) -> str:
        """Give an expression of that shape."""
        if depth == 0 or self.rng.random() < 0.2:
            return self.name(shape)
        templates = ANY if self.rng.random() < 0.6 else OF_SHAPE[shape]
        return self.filled(self.rng.choice(templates), shape, depth - 1)

    def filled(self, template: str, shape: str, depth: int = 1, **given: str) -> str:
        """Fill the places of a template: {old} with a name of the shape, others with expressions."""
        return template.format_map(_Places(self, shape, depth, given))


class _Places(dict[str, str]):
    """What stands in each place; what is drawn for {same} and {old} is kept."""

    def __init__(self, expressions: Expressions, shape: str, depth: int, given: dict[str, str]) -> None:
        super().__init__(given)
        self.draw: Any = expressions
        self.shape, self.depth = shape, depth

    def __missing__(self, place: str) -> str:
        if place == "old":
            self[place] = self.draw.name(self.shape)
            return self[place]
        shape = place if place in SHAPES else self.shape
        found: str = self.draw.value(shape, self.depth)
        if place == "same":
            self[place] = found
        return found
