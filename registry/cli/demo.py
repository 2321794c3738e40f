"""``opregistry demo``: a small network learns to read handwritten digits.

The model is what a newcomer would write: functions of Variables, made of operators.
``softplus`` comes from a plugin, by whose name it is called, as others may have one, too;
all other operators come from the built-ins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from registry import Variable, no_grad, ops, plugins
from registry.cli.derivatives import compare, derivatives
from registry.cli.errors import CommandError
from registry.cli.output import console, on_terminal, say
from registry.cli.provenance import operators_behind, show_provenance
from registry.errors import RegistryError
from registry.numpy_protocol import Array

EPOCHS = 40
BATCH = 32
RATE = 0.003
NEEDED = 0.96


def network(x: Array | Variable, w: dict[str, Variable]) -> Variable:
    """Give ten scores an image: two layers, with softplus between them."""
    hidden = plugins.softplus.softplus(x @ w["W1"] + w["b1"])
    scores: Variable = hidden @ w["W2"] + w["b2"]
    return scores


def cross_entropy(scores: Variable, labels: Array) -> Variable:
    """Give the mean of -log(softmax(scores)) at the labels.

    The largest score is subtracted first, so that exp cannot overflow.
    """
    scores = scores - ops.max(scores, axis=1, keepdims=True)
    log_sum = ops.log(ops.sum(ops.exp(scores), axis=1))
    return ops.mean(log_sum - scores[np.arange(len(labels)), labels])


class Adam:
    """Gradient descent with momentum, and a step of its own for each weight (Kingma & Ba, 2015)."""

    def __init__(self, weights: dict[str, Variable], rate: float = RATE) -> None:
        self.weights = list(weights.values())
        self.means = [np.zeros(w.shape) for w in self.weights]
        self.squares = [np.zeros(w.shape) for w in self.weights]
        self.rate, self.steps = rate, 0

    def step(self) -> None:
        """Move each weight against its gradient, and forget the gradient."""
        self.steps += 1
        rate = self.rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for w, mean, square in zip(self.weights, self.means, self.squares, strict=True):
            mean += 0.1 * (w.grad - mean)
            square += 0.001 * (w.grad**2 - square)
            w.data -= rate * mean / (np.sqrt(square) + 1e-8)
            w.cleargrad()


def new_weights(rng: np.random.Generator, inputs: int = 64, hidden: int = 128) -> dict[str, Variable]:
    """Draw weights whose layers keep the spread of what goes through them."""
    return {
        "W1": Variable(rng.standard_normal((inputs, hidden)) / np.sqrt(inputs)),
        "b1": Variable(np.zeros(hidden)),
        "W2": Variable(rng.standard_normal((hidden, 10)) / np.sqrt(hidden)),
        "b2": Variable(np.zeros(10)),
    }


@dataclass(frozen=True)
class Digits:
    """Images of 8 by 8 pixels, one a row, and the digits they show."""

    images: Array
    labels: Array

    def accuracy(self, w: dict[str, Variable]) -> float:
        """Give the share of images whose highest score is that of their digit."""
        with no_grad():
            scores = network(self.images, w)
        return float(np.mean(np.argmax(scores, axis=1) == self.labels))

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        """Give all images once, in random order, a few at a time."""
        order = rng.permutation(len(self.labels))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            yield self.images[chosen], self.labels[chosen]


def train(w: dict[str, Variable], digits: Digits, rng: np.random.Generator) -> Iterator[float]:
    """Train the weights with ever smaller steps; after each epoch give the mean loss."""
    adam = Adam(w)
    for epoch in range(EPOCHS):
        adam.rate, losses = RATE * (1 - epoch / EPOCHS), []
        for images, labels in digits.batches(rng):
            loss = cross_entropy(network(images, w), labels)
            loss.backward()
            adam.step()
            losses.append(loss.item())
        yield float(np.mean(losses))


def load_digits(rng: np.random.Generator) -> tuple[Digits, Digits]:
    """Read scikit-learn's 1797 digits; keep a fifth of them for the test.

    The pixels, 0 to 16, are centred and scaled to where softplus bends.
    """
    try:
        datasets = import_module("sklearn.datasets")
    except ImportError as error:
        raise CommandError(f'the demo needs scikit-learn ({error}): pip install "opregistry[demo]"') from None
    images, labels = datasets.load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    test, rest = order[: len(order) // 5], order[len(order) // 5 :]
    images = (images - images[rest].mean(axis=0)) / 2
    return Digits(images[rest], labels[rest]), Digits(images[test], labels[test])


def run_demo(seed: int) -> None:
    """Train, check a gradient, and write the accuracy; exit with 1 where it is too low."""
    _find_softplus()
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    training, test = load_digits(rng)
    w = new_weights(rng)
    say(f"{len(training.labels)} digits to learn from, {len(test.labels)} to be tested on, seed {seed}")
    agreed = _check_a_gradient(w, training)
    _train_visibly(w, training, rng)
    say("\nthe operators that it used:")
    show_provenance(operators_behind(cross_entropy(network(test.images, w), test.labels)))
    accuracy, seconds = test.accuracy(w), time.perf_counter() - start
    enough = accuracy > NEEDED
    say(f"\ntest accuracy {accuracy:.1%}, in {seconds:.1f} s", bold=True, fg="green" if enough else "red")
    if not enough:
        raise CommandError(f"the accuracy should be above {NEEDED:.0%}")
    if not agreed:
        raise CommandError("a gradient does not agree with its central difference")


def _find_softplus() -> None:
    try:
        _ = plugins.softplus.softplus
    except RegistryError as error:
        raise CommandError(
            f"the demo uses the operator softplus of an example plugin, but {error}\n"
            "install the plugin from a checkout of the project: pip install ./plugins_example/softplus"
        ) from None


def _train_visibly(w: dict[str, Variable], training: Digits, rng: np.random.Generator) -> None:
    """Train behind a progress bar, or with some lines where nobody watches."""
    states = (
        (epoch, f"loss {loss:.4f}  accuracy {training.accuracy(w):.1%}")
        for epoch, loss in enumerate(train(w, training, rng), start=1)
    )
    if not on_terminal():
        for epoch, state in states:
            if epoch % 5 == 0:
                say(f"epoch {epoch}/{EPOCHS}  {state}")
        return
    columns: tuple[Any, ...] = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("epoch {task.completed}/{task.total}  {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task("", total=EPOCHS)
        for _, state in states:
            progress.update(task, advance=1, description=state)


def _check_a_gradient(w: dict[str, Variable], digits: Digits) -> bool:
    """Compare the gradient for the first layer with a central difference."""
    arrays = {name: weight.data for name, weight in w.items()}

    def loss(weights: Any) -> Variable:
        return cross_entropy(network(digits.images, weights), digits.labels)

    (gradient,) = derivatives(loss, arrays, "W1", order=1)
    comparison = compare(loss, arrays, "W1", 1, gradient)
    say(f"gradient of the loss for W1: {comparison}", fg=None if comparison.ok else "red")
    return comparison.ok
