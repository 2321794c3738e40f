"""The gated recurrent unit, by hand; its gradient beside PyTorch's is in test_torch_layers.py."""

import numpy as np
import pytest
from opregistry_neural.recurrent import Gru

KINDS = {"U": (2, 3), "W": (3, 3), "b": (3,)}
SHAPES = {kind + gate: shape for gate in "zrh" for kind, shape in KINDS.items()}


def arguments(**changed):
    weights = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    return [*({"X": np.ones((4, 5, 2)), **weights, "s0": None} | changed).values()]


def test_states_start_with_the_first_and_have_one_after_each_step():
    s0 = np.arange(15.0).reshape(5, 3)
    S = Gru()(*arguments(s0=s0)).data
    # gates of zero weights: z = 1/2, h = 0, so each step halves the state
    np.testing.assert_allclose(S, s0 * np.array([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])[:, np.newaxis, np.newaxis])
    np.testing.assert_array_equal(Gru()(*arguments()).data, np.zeros((5, 5, 3)))


def test_a_gate_that_is_open_keeps_the_state_and_one_that_is_shut_forgets_it():
    s0 = np.arange(15.0).reshape(5, 3)
    kept = Gru()(*arguments(s0=s0, bz=np.full(3, 1e3))).data
    np.testing.assert_array_equal(kept, np.broadcast_to(s0, (5, 5, 3)))
    new = Gru()(*arguments(s0=s0, bz=np.full(3, -1e3), bh=np.full(3, 0.5))).data
    np.testing.assert_allclose(new[1:], np.tanh(0.5))


def test_float32_stays_float32():
    given = [a if a is None else a.astype(np.float32) for a in arguments()]
    assert Gru()(*given).dtype == np.float32


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"X": np.ones((5, 2))}, r"X has shape \(5, 2\); expected \(T, N, C\)"),
        ({"X": np.ones((0, 5, 2))}, "with one step at least"),
        ({"X": np.ones((4, 5, 3))}, r"Uz has shape \(2, 3\); expected \(3, 3\), for X of shape \(4, 5, 3\)"),
        ({"Wr": np.ones((2, 3))}, r"Wr has shape \(2, 3\); expected \(3, 3\)"),
        ({"br": np.ones(2)}, r"br has shape \(2,\); expected \(3,\)"),
        ({"s0": np.ones((4, 3))}, r"s0 has shape \(4, 3\); expected \(5, 3\)"),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Gru()(*arguments(**changed))
