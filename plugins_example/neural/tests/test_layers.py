"""Layers: their parameters and state, what they compute, training by a seed."""

import gc
from dataclasses import dataclass
from functools import partial

import numpy as np
import opregistry_neural as nn
import pytest
from opregistry_neural import initializers

from registry import Function, Variable, no_grad
from registry.plugins import neural


def small_network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=rng),
        nn.BatchNorm(4),
        neural.relu,
        partial(neural.max_pool, pool=2),
        lambda x: x.reshape(len(x), -1),
        nn.Dropout(0.2, rng=rng),
        nn.Linear(16, 3, rng=rng),
    )


def train(seed, steps=6):
    """Train a small network on noise; give the losses and the network."""
    rng = np.random.default_rng(seed)
    x, t = rng.standard_normal((20, 1, 4, 4)).astype(np.float32), rng.integers(0, 3, 20)
    model, losses = small_network(seed), []
    adam = nn.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        for images, labels in nn.DataLoader(x, t, batch_size=8, rng=rng):
            loss = neural.softmax_crossentropy(model(images), labels)
            adam.cleargrads()
            loss.backward()
            adam.step()
            losses.append(loss.item())
    return losses, model


class TestParts:
    def test_names_follow_attributes_and_places(self):
        assert [name for name, _ in small_network().named_parameters()] == [
            "0.W", "0.b", "1.gamma", "1.beta", "6.W", "6.b",
        ]  # fmt: skip

    def test_lists_tuples_and_dicts_are_looked_into(self):
        class Model(nn.Layer):
            def __init__(self):
                self.blocks = [nn.Linear(1, 2), (nn.Linear(2, 3, bias=False),)]
                self.heads = {"a": nn.Linear(3, 4), "b": [nn.Parameter(np.ones(2)), "no parameter"]}
                self.constant = Variable(np.ones(3))

        names = [name for name, _ in Model().named_parameters()]
        assert names == ["heads.b.0", "blocks.0.W", "blocks.0.b", "blocks.1.0.W", "heads.a.W", "heads.a.b"]

    def test_a_shared_layer_and_a_way_back_count_once(self):
        class Child(nn.Layer):
            def __init__(self, parent):
                self.parent, self.W = parent, nn.Parameter(np.ones(2))

        class Parent(nn.Layer):
            def __init__(self):
                self.first = self.second = Child(self)
                self.tied = self.first.W

        assert [name for name, _ in Parent().named_parameters()] == ["tied"]
        assert [name for name, _ in Parent().named_layers()] == ["", "first."]

    def test_a_layer_may_be_a_data_class(self):
        @dataclass
        class Block(nn.Layer):
            inner: nn.Linear
            scale: nn.Parameter

        model = nn.Sequential(Block(nn.Linear(1, 2), nn.Parameter(np.ones(2))))
        assert [name for name, _ in model.named_parameters()] == ["0.scale", "0.inner.W", "0.inner.b"]

    def test_train_and_eval_reach_all_layers(self):
        model = small_network()
        model.eval()
        assert not any(layer.training for _, layer in model.named_layers())
        model.train()
        assert all(layer.training for _, layer in model.named_layers())

    def test_cleargrads_forgets_all_gradients(self):
        model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 1, rng=1))
        model(np.ones((1, 2), np.float32)).backward()
        assert all(p.grad is not None for p in model.parameters())
        model.cleargrads()
        assert all(p.grad is None for p in model.parameters())

    def test_named_arguments_reach_forward(self):
        class Scaled(nn.Layer):
            def forward(self, x, by=1):
                return x * by

        assert Scaled()(2, by=3) == 6

    def test_a_layer_without_forward_says_so(self):
        with pytest.raises(NotImplementedError, match="Layer gives no forward"):
            nn.Layer()(1)


class TestState:
    def test_it_names_parameters_and_running_averages_and_shares_their_arrays(self):
        model = small_network()
        state = model.state()
        assert list(state)[-2:] == ["1.running_mean", "1.running_var"]
        assert len(state) == 8
        assert state["6.W"] is model[6].W.data

    def test_what_is_loaded_is_copied_in_place(self):
        model, other = small_network(0), small_network(1)
        W = model[0].W.data
        model.load_state(other.state())
        assert model[0].W.data is W
        for name, array in model.state().items():
            np.testing.assert_array_equal(array, other.state()[name])
            assert not np.shares_memory(array, other.state()[name])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"6.b": np.zeros(4)}, r"6\.b is float64 of shape \(4,\).*expected float32 of shape \(3,\)"),
            ({"6.b": np.zeros(3, complex)}, r"6\.b is complex128.*expected float32"),
            ({"other": np.zeros(3)}, r"lacks \[\] and has \['other'\]"),
            ({"6.b": None}, r"lacks \['6\.b'\] and has \[\]"),
        ],
    )
    def test_a_state_that_does_not_fit_changes_nothing(self, change, words):
        model = small_network(0)
        before = {name: array.copy() for name, array in model.state().items()}
        state = {name: array + 1 for name, array in before.items()} | change
        state = {name: array for name, array in state.items() if array is not None}
        with pytest.raises(ValueError, match=f"Sequential: .*{words}"):
            model.load_state(state)
        for name, array in model.state().items():
            np.testing.assert_array_equal(array, before[name])


class TestSeeds:
    def test_a_seed_gives_the_same_training_bit_by_bit_and_another_seed_another(self):
        (losses, model), (again, model_again), (others, _) = train(0), train(0), train(1)
        assert losses == again
        assert losses != others
        for name, array in model.state().items():
            np.testing.assert_array_equal(array, model_again.state()[name])

    def test_training_lowers_the_loss(self):
        losses, _ = train(0, steps=40)
        assert np.mean(losses[-5:]) < 0.5 * losses[0]

    @pytest.mark.parametrize(
        "layer",
        [
            partial(nn.Linear, 3, 4),
            partial(nn.Conv1d, 2, 4, 3),
            partial(nn.Conv2d, 2, 4, (3, 2), groups=2),
            partial(nn.Deconv2d, 2, 4, 3),
            partial(nn.Embedding, 5, 3),
            partial(nn.GRU, 2, 3),
        ],
    )
    def test_first_weights_come_from_the_seed_alone(self, layer):
        first, again, generator, other, new = (
            layer(rng=rng).parameters()[0].data for rng in (5, 5, np.random.default_rng(5), 6, None)
        )
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(first, generator)
        assert np.any(first != other)
        assert np.any(first != new)

    def test_no_step_leaves_anything_behind_without_the_collector(self):
        gc.collect()
        gc.disable()
        try:
            before = variables_and_functions()
            _, model = train(0, steps=4)
            assert variables_and_functions() - before == len(model.parameters())
            del model
            assert variables_and_functions() == before
        finally:
            gc.enable()


def variables_and_functions():
    """Count those that live."""
    return sum(issubclass(type(found), Variable | Function) for found in gc.get_objects())


class TestValues:
    def test_layers_compute_in_the_dtype_of_their_parameters(self):
        for dtype in (np.float32, np.float64):
            for layer, shape in (
                (nn.Linear(3, 2, rng=0, dtype=dtype), (4, 3)),
                (nn.Conv2d(2, 3, 2, rng=0, dtype=dtype), (1, 2, 4, 4)),
                (nn.Deconv2d(2, 3, 2, rng=0, dtype=dtype), (1, 2, 4, 4)),
                (nn.BatchNorm(2, dtype=dtype), (4, 2)),
                (nn.LayerNorm(2, dtype=dtype), (4, 2)),
                (nn.GRU(2, 3, rng=0, dtype=dtype), (3, 1, 2)),
                (nn.Dropout(0.5, rng=0), (4,)),
            ):
                y = layer(Variable(np.ones(shape, dtype)))
                assert y.dtype == dtype, layer
                assert all(p.dtype == dtype for p in layer.parameters())

    def test_linear_without_a_bias_is_a_product(self):
        layer, x = nn.Linear(3, 2, bias=False, rng=0), np.ones((4, 3), np.float32)
        np.testing.assert_array_equal(layer(x).data, x @ layer.W.data)
        assert len(layer.parameters()) == 1

    @pytest.mark.parametrize(
        ("layer", "x", "shape"),
        [
            (nn.Conv1d(2, 4, 3, padding=1, rng=0), (5, 2, 7), (5, 4, 7)),
            (nn.Conv2d(2, 4, (3, 1), stride=2, rng=0), (5, 2, 7, 6), (5, 4, 3, 3)),
            (nn.Conv2d(2, 4, 3, dilation=2, groups=2, bias=False, rng=0), (1, 2, 7, 6), (1, 4, 3, 2)),
            (nn.Deconv2d(4, 2, 2, stride=2, rng=0), (1, 4, 3, 5), (1, 2, 6, 10)),
            (nn.Deconv2d(4, 2, 3, stride=2, groups=2, padding=1, rng=0), (1, 4, 3, 5), (1, 2, 5, 9)),
        ],
    )
    def test_convolutions_have_weights_of_their_groups_and_the_shapes_of_the_operators(self, layer, x, shape):
        y = layer(np.ones(x, np.float32))
        assert y.shape == shape
        y.backward()
        assert all(p.grad is not None for p in layer.parameters())

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (
                lambda: nn.Conv2d(2, 4, (3, 3, 3)),
                r"Conv2d: kernel_size is \(3, 3, 3\); .* or 2 of them",
            ),
            (lambda: nn.Conv1d(2, 4, (3, 3)), "Conv1d: kernel_size .* or 1 of them"),
            (lambda: nn.Conv2d(2, 4, 3, groups=4), "Conv2d: groups is 4; expected a divisor of 2 and 4"),
            (lambda: nn.Deconv2d(4, 6, 3, groups=4), "Deconv2d: groups is 4; expected a divisor of 4 and 6"),
        ],
    )
    def test_convolutions_refuse_what_cannot_be(self, make, words):
        with pytest.raises(ValueError, match=words):
            make()

    def test_dropout_drops_in_training_only(self):
        layer, x = nn.Dropout(0.25, rng=0), np.ones(10_000)
        first, second = layer(x).data, layer(x).data
        assert np.mean(first == 0) == pytest.approx(0.25, abs=0.02)
        np.testing.assert_array_equal(np.unique(first), [0, 4 / 3])
        assert np.any(first != second)
        layer.eval()
        assert layer(x) is x

    def test_batchnorm_normalises_in_training_and_by_running_averages_after(self):
        x = np.random.default_rng(0).normal(3, 2, (50, 2, 4))
        layer = nn.BatchNorm(2, momentum=0.25, dtype=np.float64)
        y = layer(x).data
        np.testing.assert_allclose(y.mean(axis=(0, 2)), 0, atol=1e-12)
        np.testing.assert_allclose(y.std(axis=(0, 2)), 1, rtol=1e-5)
        mean, var = x.mean(axis=(0, 2)), x.var(axis=(0, 2), ddof=1)
        np.testing.assert_allclose(layer.running_mean, 0.25 * mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var, 0.75 + 0.25 * var, rtol=1e-12)
        layer.eval()
        kept = layer.running_mean.copy()
        expected = (x - kept[:, None]) / np.sqrt(layer.running_var[:, None] + 1e-5)
        np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12)
        np.testing.assert_array_equal(layer.running_mean, kept)

    def test_layer_norm_takes_the_last_axes(self):
        x = np.random.default_rng(0).normal(3, 2, (5, 3, 4))
        y = nn.LayerNorm((3, 4), dtype=np.float64)(x).data
        np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-12)
        np.testing.assert_allclose(y.std(axis=(1, 2)), 1, rtol=1e-5)

    def test_embedding_gives_rows(self):
        layer = nn.Embedding(5, 3, rng=0)
        np.testing.assert_array_equal(layer([[1, 4]]).data, layer.W.data[[[1, 4]]])

    def test_gru_follows_its_formula_step_by_step(self):
        layer, rng = nn.GRU(2, 3, rng=0, dtype=np.float64), np.random.default_rng(1)
        x, s = rng.standard_normal((4, 5, 2)), rng.standard_normal((5, 3))
        states = layer(x, s).data
        w = {name: p.data for name, p in layer.named_parameters()}
        for step, state in zip(x, states, strict=True):
            z, r = (1 / (1 + np.exp(-(step @ w["U" + g] + s @ w["W" + g] + w["b" + g]))) for g in "zr")
            h = np.tanh(step @ w["Uh"] + (r * s) @ w["Wh"] + w["bh"])
            s = (1 - z) * h + z * s
            np.testing.assert_allclose(state, s, rtol=1e-12)
        np.testing.assert_array_equal(layer(x).data, layer(x, np.zeros((5, 3))).data)

    def test_nothing_is_recorded_under_no_grad(self):
        with no_grad():
            y = small_network()(np.ones((2, 1, 4, 4), np.float32))
        assert y.creator is None


class TestInitializers:
    @pytest.mark.parametrize(
        ("init", "variance"),
        [
            (initializers.he_normal, 2 / 100),
            (initializers.lecun_normal, 1 / 100),
            (initializers.glorot_uniform, 2 / (100 + 400)),
        ],
    )
    def test_the_spread_is_that_of_the_paper(self, init, variance):
        W = init(np.random.default_rng(0), (100, 400), 100, 400)
        assert np.mean(W) == pytest.approx(0, abs=4 * np.sqrt(variance / W.size))
        assert np.var(W) == pytest.approx(variance, rel=0.03)

    @pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (3, 2, 2)])
    def test_orthogonal_is(self, shape):
        W = initializers.orthogonal(np.random.default_rng(0), shape, 1, 1).reshape(shape[0], -1)
        product = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
        np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-14)

    def test_orthogonal_has_either_sign_anywhere(self):
        """Those of a QR factorisation alone depend on its algorithm."""
        firsts = [initializers.orthogonal(np.random.default_rng(s), (3, 3), 1, 1)[0, 0] for s in range(20)]
        assert 4 <= sum(first > 0 for first in firsts) <= 16

    def test_a_layer_takes_any_function_and_tells_it_its_fans(self):
        seen = []

        def init(rng, shape, fan_in, fan_out):
            seen.append((shape, fan_in, fan_out))
            return np.zeros(shape)

        nn.Linear(3, 5, init=init)
        nn.Conv2d(4, 8, (3, 2), groups=2, init=init)
        nn.Deconv2d(4, 8, 2, init=init)
        assert seen == [((3, 5), 3, 5), ((8, 2, 3, 2), 12, 24), ((4, 8, 2, 2), 16, 32)]

    def test_he_keeps_signals_at_one_size_through_many_layers(self):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((64, 256)).astype(np.float32)
        for _ in range(20):
            x = neural.relu(nn.Linear(256, 256, rng=rng)(x))
        assert 0.3 < np.sqrt(np.mean(x.data**2)) < 3


@pytest.mark.parametrize("part", [[nn.Linear(2, 2)], 5, nn.Linear])
def test_a_part_that_is_no_function_is_refused_by_its_place(part):
    with pytest.raises(TypeError, match=r"Sequential: part 1 is .*; expected a layer or a function"):
        nn.Sequential(np.tanh, part)


def test_a_layer_shows_how_many_parameters_it_has():
    assert repr(nn.Sequential(nn.Linear(2, 3), np.tanh)) == "<Sequential of 9 parameters>"


def test_a_rate_that_is_no_probability_is_refused_where_the_layer_is_made():
    with pytest.raises(ValueError, match=r"expected dropout_ratio in \[0, 1\), got 1.5"):
        nn.Dropout(1.5)
