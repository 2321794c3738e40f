import re
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("sklearn")
from test_cli import run

from registry import Variable, ops
from registry.cli import demo
from registry.cli.derivatives import compare, derivatives

SOFTPLUS = Path(__file__).parents[1] / "plugins_example" / "softplus" / "opregistry_softplus.py"


@pytest.fixture
def softplus(site, fresh):
    """A registry with the built-ins and the example plugin, installed or not."""
    site.install("opregistry-softplus", SOFTPLUS.read_text(), key="softplus", version="0.1.0")
    return fresh(only=frozenset({"softplus"}))


def accuracy(shown):
    return float(re.search(r"\ntest accuracy ([\d.]+)%, in ", shown)[1])


@pytest.fixture
def shorter(monkeypatch):
    """Train for two epochs only, and be content with what that gives."""
    monkeypatch.setattr(demo, "EPOCHS", 2)
    monkeypatch.setattr(demo, "NEEDED", 0.5)


def test_the_demo_reaches_more_than_97_percent_within_seconds(softplus):
    start = time.perf_counter()
    shown = run("demo").stdout
    assert time.perf_counter() - start < 30
    assert accuracy(shown) > 97
    assert "1438 digits to learn from, 359 to be tested on, seed 0\n" in shown


def test_the_demo_checks_a_gradient_and_says_where_operators_came_from(softplus, shorter):
    shown = run("demo").stdout
    assert re.search(
        r"^gradient of the loss for W1: ok, max error .*random direction\)$", shown, re.MULTILINE
    )
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if "opregistry" in line}
    assert rows["softplus"] == ["softplus", "opregistry-softplus", "0.1.0"]
    assert rows["matmul"][:2] == ["ops_builtin", "opregistry"]
    used = ["add", "exp", "getitem", "log", "matmul", "max", "mean", "softplus", "subtract", "sum"]
    assert sorted(rows) == used


def test_one_seed_gives_one_result_and_another_another(softplus, shorter):
    first, again, other = (run("demo", "--seed", seed).stdout for seed in ("3", "3", "4"))
    seconds = re.compile(r", in [\d.]+ s")
    assert seconds.sub("", first) == seconds.sub("", again)
    losses = [re.findall(r"max error [\d.e-]+", shown) for shown in (first, other)]
    assert losses[0] != losses[1]


def test_too_low_an_accuracy_exits_with_1(softplus, shorter, monkeypatch):
    monkeypatch.setattr(demo, "NEEDED", 0.9999)
    assert run("demo", code=1).stderr == "error: the accuracy should be above 100%\n"


def test_a_wrong_gradient_exits_with_1(softplus, shorter, monkeypatch):
    right = derivatives

    def wrong(*arguments, **options):
        return [1.01 * gradient for gradient in right(*arguments, **options)]

    monkeypatch.setattr(demo, "derivatives", wrong)
    result = run("demo", code=1)
    assert "gradient of the loss for W1: NOT ok" in result.stdout
    assert result.stderr == "error: a gradient does not agree with its central difference\n"


def test_without_the_plugin_the_demo_says_how_to_install_it(fresh):
    fresh(only=frozenset())
    stderr = run("demo", code=1).stderr
    assert stderr.startswith("error: the demo uses the operator softplus of an example plugin, but no plugin")
    assert stderr.endswith("pip install ./plugins_example/softplus\n")


def test_without_scikit_learn_the_demo_says_which_extra_to_install(softplus, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    assert run("demo", code=1).stderr.endswith('pip install "opregistry[demo]"\n')


def test_on_a_terminal_a_bar_shows_loss_and_accuracy(softplus, shorter, terminal):
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", run("demo").stdout)
    assert re.search(r"training ━+ epoch 2/2  loss \d\.\d{4}  accuracy \d\d\.\d%", shown)


def test_the_cross_entropy_is_that_of_the_formula(softplus):
    scores = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
    labels = np.array([1, 0])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = demo.cross_entropy(Variable(scores), labels)
    assert loss.item() == pytest.approx(-np.log(shares[[0, 1], labels]).mean())


def test_the_cross_entropy_of_huge_scores_is_finite(softplus):
    scores = Variable(np.array([[1000.0, -1000.0, 0.0]]))
    loss = demo.cross_entropy(scores, np.array([1]))
    loss.backward()
    assert loss.item() == 2000
    np.testing.assert_array_equal(scores.grad, [[1.0, -1.0, 0.0]])


def test_the_gradients_of_the_loss_agree_with_differences_for_every_weight(softplus):
    rng = np.random.default_rng(1)
    arrays = {name: w.data for name, w in demo.new_weights(rng, inputs=3, hidden=4).items()}
    images, labels = rng.standard_normal((5, 3)), np.array([0, 9, 3, 3, 1])

    def loss(w):
        return demo.cross_entropy(demo.network(images, w), labels)

    for name in arrays:
        (gradient,) = derivatives(loss, arrays, name, 1)
        assert compare(loss, arrays, name, 1, gradient).ok


def test_adams_first_step_has_the_length_of_the_rate():
    w = Variable(np.array([1.0, 1.0, 1.0]))
    w.grad = np.array([5.0, -0.01, 0.0])
    demo.Adam({"w": w}, rate=0.1).step()
    np.testing.assert_allclose(w.data, [0.9, 1.1, 1.0], rtol=1e-5)
    assert w.grad is None


def test_batches_give_every_image_once():
    digits = demo.Digits(np.arange(70.0)[:, np.newaxis], np.arange(70))
    parts = list(digits.batches(np.random.default_rng(0)))
    assert [len(labels) for _, labels in parts] == [32, 32, 6]
    assert sorted(np.concatenate([labels for _, labels in parts])) == list(range(70))
    assert all((images[:, 0] == labels).all() for images, labels in parts)


def test_training_and_test_digits_are_disjoint():
    training, test = demo.load_digits(np.random.default_rng(0))
    assert (len(training.labels), len(test.labels)) == (1438, 359)
    seen = {image.tobytes() for image in training.images}
    assert not any(image.tobytes() in seen for image in test.images)
    np.testing.assert_allclose(training.images.mean(axis=0), 0, atol=1e-12)


def test_the_network_has_ten_scores_an_image(softplus):
    w = demo.new_weights(np.random.default_rng(0))
    scores = demo.network(np.zeros((2, 64)), w)
    assert scores.shape == (2, 10)
    hidden = np.log(2) * np.ones((2, 128))
    np.testing.assert_allclose(scores.data, hidden @ w["W2"].data)
    assert ops.softplus(Variable(np.array(0.0))).item() == pytest.approx(np.log(2))
