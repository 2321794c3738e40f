"""Recurrent networks: the states that a sequence leads through."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function

_STEPS = ((0, 1), (0, 1))  # the axes of steps and sequences, in both of two arrays


def _sigmoid(x: Any) -> Any:
    """Give 1 / (1 + exp(-x)), without an overflow."""
    return np.tanh(x * 0.5) * 0.5 + 0.5


class Gru(Function):
    """States of a gated recurrent unit: s0, or zeros where it is left out, and one after each step.

    X is (T, N, C), each U (C, D), each W (D, D), each b (D,), s0 (N, D): the result is (T + 1, N, D).
    A step with input x goes from state s to (1 - z) * h + z * s, where
    z = sigmoid(x Uz + s Wz + bz), r = sigmoid(x Ur + s Wr + br) and
    h = tanh(x Uh + (r * s) Wh + bh) (Cho et al., 2014). The gates are not kept: once all
    states are known, `backward` computes those of all steps at once.
    """

    domain = (-np.inf, np.inf)
    only_reads = True

    @staticmethod
    def samples(rng: np.random.Generator) -> list[dict[str, Any]]:
        """Give weights of three gates, with and without a first state."""
        kinds: dict[str, tuple[int, ...]] = {"U": (2, 3), "W": (3, 3), "b": (3,)}
        weights = {kind + gate: shape for kind, shape in kinds.items() for gate in "zrh"}
        return [{"X": (2, 2, 2), **weights}, {"X": (3, 1, 2), **weights, "s0": (1, 3)}]

    def forward(
        self,
        X: Any,
        Uz: Any,
        Wz: Any,
        bz: Any,
        Ur: Any,
        Wr: Any,
        br: Any,
        Uh: Any,
        Wh: Any,
        bh: Any,
        s0: Any = None,
    ) -> Any:
        self.check(X, s0, ("z", Uz, Wz, bz), ("r", Ur, Wr, br), ("h", Uh, Wh, bh))
        D = len(bh)
        given = X @ np.hstack((Uz, Ur, Uh)) + np.hstack((bz, br, bh))
        W = np.hstack((Wz, Wr))
        S = np.zeros((len(X) + 1, X.shape[1], D), given.dtype)
        S[0] = 0 if s0 is None else s0
        for s, after, x in zip(S[:-1], S[1:], given, strict=True):
            gates = _sigmoid(x[:, : 2 * D] + s @ W)
            z, r = gates[:, :D], gates[:, D:]
            h = np.tanh(x[:, 2 * D :] + (r * s) @ Wh)
            np.add(h, z * (s - h), out=after)
        return S

    def backward(self, gS: Any) -> Any:
        X, Uz, Wz, bz, Ur, Wr, br, Uh, Wh, bh, _ = self.xs
        before = self.ys[0][:-1]
        z, r = _sigmoid(X @ Uz + before @ Wz + bz), _sigmoid(X @ Ur + before @ Wr + br)
        h = np.tanh(X @ Uh + (r * before) @ Wh + bh)
        by_z, by_h, by_r = (before - h) * z * (1 - z), (1 - z) * (1 - h * h), before * r * (1 - r)
        g, steps = gS[-1], []
        for t in reversed(range(len(X))):
            g_z, g_h = g * by_z[t], g * by_h[t]
            g_rs = g_h @ Wh.T
            g_r = g_rs * by_r[t]
            steps.append((g_z, g_r, g_h))
            g = gS[t] + g * z[t] + g_rs * r[t] + g_z @ Wz.T + g_r @ Wr.T
        gates = [np.stack(gate) for gate in zip(*steps[::-1], strict=True)]
        grads: list[Any] = []
        for gate, s in zip(gates, (before, before, r * before), strict=True):
            grads += [np.tensordot(X, gate, _STEPS), np.tensordot(s, gate, _STEPS), np.sum(gate, axis=(0, 1))]
        gX = gates[0] @ Uz.T + gates[1] @ Ur.T + gates[2] @ Uh.T if self.needs_grad[0] else None
        return gX, *grads, g

    def check(self, X: Any, s0: Any, *gates: tuple[str, Any, Any, Any]) -> None:
        """Refuse arrays whose shapes do not go together."""
        if X.ndim != 3 or not len(X):
            raise ValueError(f"{self}: X has shape {X.shape}; expected (T, N, C), with one step at least")
        D = gates[-1][-1].shape[-1] if gates[-1][-1].ndim else 0
        expected: dict[str, tuple[Any, tuple[int, ...]]] = {}
        for gate, U, W, b in gates:
            expected |= {f"U{gate}": (U, (X.shape[2], D)), f"W{gate}": (W, (D, D)), f"b{gate}": (b, (D,))}
        if s0 is not None:
            expected["s0"] = s0, (X.shape[1], D)
        for name, (a, shape) in expected.items():
            if a.shape != shape:
                raise ValueError(
                    f"{self}: {name} has shape {a.shape}; expected {shape}, for X of shape {X.shape} "
                    f"and {D} numbers in bh"
                )
