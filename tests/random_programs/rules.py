"""How a step moves when its inputs do: derivatives along a direction, going forward.

A linear function moves as its inputs do, a holomorphic one by Cauchy's integral along a small
circle, and what is left has a formula here. Nothing of the library is used.

Each rule makes a function of inputs, their tangents (None for what stands still), the result
and the parameters; it gives the tangent of the result.
"""

import numpy as np

CIRCLE = np.exp(2j * np.pi * np.arange(8) / 8)


def filled(xs, dxs):
    """Give the tangents, zeros for what stands still."""
    return [np.zeros_like(x) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]


def linear(f):
    """Move as all inputs together do."""
    return lambda xs, dxs, y, **p: f(*filled(xs, dxs), **p)


def multilinear(f):
    """Move as each input alone does, and add that up."""

    def tangent(xs, dxs, y, **p):
        moving = [(i, dx) for i, dx in enumerate(dxs) if dx is not None]
        return sum(f(*xs[:i], dx, *xs[i + 1 :], **p) for i, dx in moving)

    return tangent


def holomorphic(f):
    """Differentiate by the values on a circle around the inputs."""

    def tangent(xs, dxs, y, **p):
        dxs = filled(xs, dxs)
        radius = 1 / 64 / max([1.0, *(np.max(np.abs(dx), initial=0) for dx in dxs)])
        around = [f(*(x + radius * z * dx for x, dx in zip(xs, dxs, strict=True)), **p) / z for z in CIRCLE]
        dy = np.mean(around, axis=0) / radius
        return dy if any(map(np.iscomplexobj, (*xs, *dxs))) else np.real(dy)

    return tangent


def slopes(*by_input):
    """Move element by element, by a formula for the slope along each input."""

    def tangent(xs, dxs, y):
        moving = [(slope, dx) for slope, dx in zip(by_input, dxs, strict=True) if dx is not None]
        return sum(np.broadcast_to(slope(*xs, y) * dx, np.shape(y)) for slope, dx in moving)

    return tangent


def where(condition):
    """Move as the first of two does where a condition on both holds, as the second elsewhere."""
    return lambda xs, dxs, y: np.where(condition(*xs), *filled(xs, dxs))


def ordered(f):
    """Move as a linear function of the elements in increasing order, along an axis or of all."""

    def tangent(xs, dxs, y, axis=None, **p):
        (x,), (dx,) = xs, dxs
        flat, along = (np.ravel(x), 0) if axis is None else (x, axis)
        places = np.argsort(np.argsort(flat, axis=along), axis=along)
        far = 1e4 * np.reshape(places, x.shape)  # in the same order, whatever dx is
        return f(far + dx, axis=axis, **p) - f(far, axis=axis, **p)

    return tangent


def extremum(f):
    """Move as the element does that is the largest or smallest along axes."""

    def tangent(xs, dxs, y, axis=None, keepdims=False):
        best = xs[0] == f(xs[0], axis=axis, keepdims=True)
        moved = np.sum(np.where(best, dxs[0], 0), axis=axis, keepdims=keepdims)
        return moved / np.sum(best, axis=axis, keepdims=keepdims)

    return tangent


def inner(a, b):
    """Give the real inner product, element by element."""
    return np.real(np.conj(a) * b)


def absolute(xs, dxs, y):
    return inner(xs[0], dxs[0]) / y


def angle(xs, dxs, y):
    return np.imag(dxs[0] / xs[0])


def norm(xs, dxs, y, axis=None, keepdims=False):
    return np.sum(inner(xs[0], dxs[0]), axis=axis, keepdims=keepdims) / y


def variance(xs, dxs, y, axis=None, keepdims=False, ddof=0):
    (x,), (dx,) = xs, dxs
    middle, d_middle = (np.mean(a, axis=axis, keepdims=True) for a in (x, dx))
    moved = np.sum(inner(x - middle, dx - d_middle), axis=axis, keepdims=keepdims)
    return 2 * moved / (x.size // max(middle.size, 1) - ddof)


def deviation(xs, dxs, y, **p):
    return variance(xs, dxs, y, **p) / (2 * y)


def divided(xs, dxs, y):
    dx0, dx1 = filled(xs, dxs)
    return np.zeros_like(y[0]), dx0 - y[0] * dx1


def fraction(xs, dxs, y):
    return dxs[0], np.zeros_like(dxs[0])


def shares(base):
    """Move as the mean of two, weighted by shares of base ** x."""
    return slopes(lambda a, b, y: base ** (a - y), lambda a, b, y: base ** (b - y))


power = slopes(lambda a, b, y: b * a ** (b - 1.0), lambda a, b, y: y * np.log(a))


def _of_lower_triangle(dx):
    """Give the Hermitian matrix that LAPACK sees, which reads one triangle."""
    below = np.tril(dx, -1)
    return below + np.conj(np.swapaxes(below, -1, -2)) + np.eye(dx.shape[-1]) * np.real(dx)


def cholesky(xs, dxs, y):
    inverse = np.linalg.inv(y)
    turned = inverse @ _of_lower_triangle(dxs[0]) @ np.conj(np.swapaxes(inverse, -1, -2))
    return y @ (np.tril(turned, -1) + np.eye(y.shape[-1]) * turned / 2)


def _one_over_differences(w):
    differences = w[None, :] - w[:, None]
    return np.where(np.eye(len(w)) > 0, 0, 1 / np.where(differences == 0, 1, differences))


def eigenvectors(xs, dxs, y):
    w, v = y
    turned = v.T @ _of_lower_triangle(dxs[0]) @ v
    return np.diag(turned), v @ (_one_over_differences(w) * turned)


def eigenvalues(xs, dxs, y):
    v = np.linalg.eigh(xs[0])[1]
    return np.real(np.diag(np.conj(v.T) @ _of_lower_triangle(dxs[0]) @ v))


def singular_vectors(xs, dxs, y, full_matrices=False):
    (dx,), (u, s, vh) = dxs, y
    turned, apart = u.T @ dx @ vh.T, _one_over_differences(s**2)
    du = u @ (apart * (turned * s + s[:, None] * turned.T)) + (dx @ vh.T - u @ turned) / s
    dv = vh.T @ (apart * (s[:, None] * turned + turned.T * s)) + (dx.T @ u - vh.T @ turned.T) / s
    return du, np.diag(turned), dv.T


def singular_values(xs, dxs, y):
    u, _, vh = np.linalg.svd(xs[0], full_matrices=False)
    return np.real(np.diag(np.conj(u.T) @ dxs[0] @ np.conj(vh.T)))


def triangle(xs, dxs, y):
    q, r = y
    inverse = np.linalg.inv(r)
    turned = q.T @ dxs[0] @ inverse
    dr = (turned - np.tril(turned, -1) + np.tril(turned, -1).T) @ r
    return (dxs[0] - q @ dr) @ inverse, dr


def logarithm_of_determinant(xs, dxs, y):
    moved = np.trace(np.linalg.solve(xs[0], dxs[0]), axis1=-2, axis2=-1)
    return 1j * np.imag(moved) * y[0] if np.iscomplexobj(y[0]) else 0 * np.real(moved), np.real(moved)
