"""Losses: classes by labels, two values an example, and numbers beside numbers.

Labels are integers from 0, one for each row of scores along the last axis, and constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from opregistry_neural.activations import Relu, Sigmoid
from opregistry_neural.counts import shared, widened
from opregistry_neural.softmax import Logsoftmax
from registry import Function, Variable, composite

_SCORES = (
    {"x": (3, 4), "y_true": np.array([3, 0, 1])},
    {"x": (2, 2, 3), "y_true": np.array([[0, 1], [2, 2]])},
    {"x": (3,), "y_true": np.array(1)},
)
_FOCUSED: tuple[dict[str, float], ...] = ({"alpha": 0.25, "gamma": 2.0}, {"gamma": 0.5}, {})


def _plain(x: Any) -> Any:
    """Give what is no number to differentiate by as an array."""
    if isinstance(x, Variable):
        return x.data
    return x if hasattr(x, "dtype") else np.asarray(x)  # of what stands in for an array there is no plain one


def _labels(operator: str, name: str, labels: Any, shape: tuple[int, ...]) -> Any:
    """Give labels as an array of integers, one for each row of scores of a shape; refuse others by name."""
    labels = _plain(labels)
    rows, count = shape[:-1], shape[-1] if shape else 0
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"{operator}: {name} must be integers, one label for each row of scores; "
            f"got {labels.dtype}, so convert it, by .astype(int) or np.argmax(..., axis=-1)"
        )
    if labels.shape != rows:
        raise ValueError(
            f"{operator}: {name} must have shape {rows}, one label for each row of scores of shape {shape}; "
            f"got {labels.shape}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < count:
        raise ValueError(
            f"{operator}: {name} must lie in 0 to {count - 1}, for {count} classes; "
            f"got {labels.min()} to {labels.max()}"
        )
    return labels


def _at(x: Any, labels: Any) -> Any:
    """Give of each row the element that its label names."""
    return x[(*np.indices(labels.shape, sparse=True), labels)]


@composite(inputs=("x",), samples=_SCORES)
def softmax_crossentropy(x: Any, y_true: Any) -> Any:
    """-log(softmax(x)) at the labels, averaged over the rows; x are scores of any size."""
    y_true = _labels("softmax_crossentropy", "y_true", y_true, np.shape(x))
    return -np.mean(_at(Logsoftmax()(x), y_true))


@composite(
    inputs=("x", "weights"),
    samples=(*_SCORES, {"x": (3, 2), "y_true": np.array([1, 0, 1]), "weights": (2,)}),
)
def negative_log_likelihood(x: Any, y_true: Any, *, weights: Any = None) -> Any:
    """-x at the labels, averaged over the rows; x are logarithms of probabilities.

    Each row counts by its class's weight. The sum is divided by the number of rows, as in
    MyGrad, not by the sum of the weights, as in PyTorch.
    """
    y_true = _labels("negative_log_likelihood", "y_true", y_true, np.shape(x))
    at = _at(x, y_true)
    if weights is not None:
        if np.shape(weights) != np.shape(x)[-1:]:
            raise ValueError(
                f"negative_log_likelihood: weights must have shape {np.shape(x)[-1:]}, one for each class; "
                f"got {np.shape(weights)}"
            )
        at = at * np.take(weights, y_true)
    return -np.mean(at)


def _focal(logarithms: Any, others: Any, alpha: float, gamma: float) -> Any:
    """Give -alpha * others**gamma * logarithms, where `others` is 1 less the probability."""
    if gamma == 0:
        return -alpha * logarithms
    others = np.where(np.greater(others, 0), others, np.finfo(others.dtype).tiny)  # a slope at certainty
    return -alpha * others**gamma * logarithms


@composite(
    inputs=("class_probs",),
    domain=(0, 1),
    samples=[{"class_probs": (3, 2), "targets": np.array([1, 0, 1]), **focus} for focus in _FOCUSED],
)
def focal_loss(class_probs: Any, targets: Any, *, alpha: float = 1, gamma: float = 0) -> Any:
    """-alpha * (1 - p)**gamma * log(p) for each row, with p the probability at its label.

    `gamma` takes weight from what is known well already (Lin et al. 2017, arXiv:1708.02002).
    """
    targets = _labels("focal_loss", "targets", targets, np.shape(class_probs))
    p = _at(class_probs, targets)
    return _focal(np.log(p), 1 - p, alpha, gamma)


@composite(
    inputs=("scores",),
    samples=[{"scores": (3, 2), "targets": np.array([1, 0, 1]), **focus} for focus in _FOCUSED],
)
def softmax_focal_loss(scores: Any, targets: Any, *, alpha: float = 1, gamma: float = 0) -> Any:
    """focal_loss(softmax(scores), targets) for each row, from scores of any size."""
    targets = _labels("softmax_focal_loss", "targets", targets, np.shape(scores))
    logarithms = _at(Logsoftmax()(scores), targets)
    return _focal(logarithms, -np.expm1(logarithms), alpha, gamma)


@composite(inputs=("x",), samples=(*_SCORES, {"x": (3, 2), "y_true": np.array([1, 0, 1]), "hinge": 0.3}))
def multiclass_hinge(x: Any, y_true: Any, hinge: float = 1.0) -> Any:
    """How far each score comes within `hinge` of that at the label, summed in a row, averaged over rows.

    The sum is of max(0, x[j] - x[label] + hinge) over all j but the label, whose derivative is 0 at 0.
    It is not divided by the number of classes (as in MyGrad; PyTorch's multi_margin_loss does).
    """
    shape = np.shape(x)
    y_true = _labels("multiclass_hinge", "y_true", y_true, shape)
    short = Relu()(x - np.expand_dims(_at(x, y_true), -1) + hinge)
    others = np.not_equal(np.arange(shape[-1]), y_true[..., np.newaxis])
    return np.mean(np.sum(short * others, axis=-1))


@composite(
    inputs=("x1", "x2"),
    samples=(
        {"x1": (3,), "x2": (3,), "y": np.array([1, -1, 1]), "margin": 0.5},
        {"x1": (2, 3), "x2": (2, 3), "y": np.array([-1, 1])},
        {"x1": (2, 3), "x2": (2, 3), "y": -1},
    ),
)
def margin_ranking_loss(x1: Any, x2: Any, y: Any, margin: float = 0.0) -> Any:
    """max(0, margin - y * (x1 - x2)), averaged; y is 1 where x1 should be the larger, -1 where x2 should.

    y is one for all, one for each row, or one for each element. At 0 the derivative is that of the
    right side (as in PyTorch).
    """
    shape, sign = np.shape(x1), _plain(y)
    if np.shape(x2) != shape:
        raise ValueError(f"margin_ranking_loss: x2 must have the shape of x1, {shape}; got {np.shape(x2)}")
    if sign.shape not in ((), shape[:1], shape):
        raise ValueError(
            f"margin_ranking_loss: y must have shape (), {shape[:1]} or {shape}, for x1 of shape {shape}; "
            f"got {sign.shape}"
        )
    if np.any(np.absolute(sign) != 1):
        raise ValueError("margin_ranking_loss: y must hold 1 and -1 only; from 0 and 1 make it by 2 * y - 1")
    larger = np.subtract(x1, x2)
    sign = sign.astype(larger.dtype).reshape(sign.shape + (1,) * (len(shape) - sign.ndim))
    return np.mean(np.clip(margin - sign * larger, 0, None))


def _pair(operator: Function, x: Any, t: Any) -> Any:
    """Give two arrays of one shape, integers in the other's type or float64; refuse two shapes by name."""
    if x.shape != t.shape:
        raise ValueError(
            f"{operator}: expected two arrays of one shape, got {x.shape} and {t.shape}; reshape one of them"
        )
    kind = next((a.dtype for a in (x, t) if a.dtype.kind in "fc"), np.float64)
    return [a if a.dtype.kind in "fc" else a.astype(kind) for a in (x, t)]


def _rows(x: Any) -> int:
    return len(x) if x.ndim else 1


def _row_mean(each: Any) -> Any:
    """Give the sum of numbers over the number of rows."""
    return (np.sum(widened(each)) / _rows(each)).astype(each.dtype)


class MeanSquaredError(Function):
    """(x0 - x1)**2 summed over all elements, divided by len(x0).

    For one number a row it is the mean; PyTorch's mse_loss divides by the number of elements.
    """

    saves = ("xs",)

    def forward(self, x0: Any, x1: Any) -> Any:
        x0, x1 = _pair(self, x0, x1)
        return _row_mean(np.square(x0 - x1))

    def backward(self, gy: Any) -> Any:
        x0, x1 = _pair(self, *self.xs)
        gx = shared(2 * gy, _rows(x0)) * (x0 - x1)
        return gx, -gx


def _bounded_logs(p: Any) -> Any:
    """Give log(p) and log(1 - p), -100 where they are less."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(p), -100.0), np.maximum(np.log1p(-p), -100.0)


class BinaryCrossEntropy(Function):
    """-t * log(p) - (1 - t) * log(1 - p) for probabilities p, summed, divided by len(p).

    As in PyTorch, a logarithm below -100 counts as -100, and in the derivative
    (p - t) / (p * (1 - p)) the denominator is 1e-12 at least, so that both are finite at 0 and 1.
    For one number a row it is the mean; PyTorch divides by the number of elements.
    """

    saves = ("xs",)
    domain = (0, 1)

    def forward(self, p: Any, t: Any) -> Any:
        p, t = _pair(self, p, t)
        if np.any((p < 0) | (p > 1)):
            raise ValueError(
                f"{self}: expected p in [0, 1], got {p.min()} to {p.max()}; "
                "for scores call sigmoid_cross_entropy"
            )
        log_p, log_rest = _bounded_logs(p)
        return -_row_mean(t * log_p + (1 - t) * log_rest)

    def backward(self, gy: Any) -> Any:
        p, t = _pair(self, *self.xs)
        g = shared(gy, _rows(p))
        log_p, log_rest = _bounded_logs(p) if self.needs_grad[1] else (0, 0)
        return g * ((p - t) / np.maximum(p * (1 - p), 1e-12)), g * (log_rest - log_p)


class SigmoidCrossEntropy(Function):
    """binary_cross_entropy(sigmoid(x), t) from scores x of any size, exact far out.

    Summed over all elements, and divided by len(x). Its derivative sigmoid(x) - t is computed as
    (1 - t) * sigmoid(x) - t * sigmoid(-x), in which nothing cancels; value and gradient together
    take half as long again for that.
    For one number a row it is the mean; PyTorch divides by the number of elements.
    """

    saves = ("xs",)

    def forward(self, x: Any, t: Any) -> Any:
        x, t = _pair(self, x, t)
        each = np.maximum(x, 0) - x * t + np.log1p(np.exp(np.minimum(x, -x)))
        return _row_mean(each)

    def backward(self, gy: Any) -> Any:
        x, t = _pair(self, *self.xs)
        g = shared(gy, _rows(x))
        return g * ((1 - t) * Sigmoid()(x) - t * Sigmoid()(-x)), -g * x
