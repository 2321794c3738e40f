"""The Dirichlet distribution, and the normal distribution of several numbers."""

from math import log, pi

import numpy as np

from opregistry_special._densities import common, log_dirichlet_density, log_gamma_density
from opregistry_special.matrix_equations import solve_triangular
from registry import composite

_ALPHA = np.array([0.7, 2.0, 1.0])
_TWO_OF_THREE = np.array([[0.2, 0.5], [0.3, 0.1]])
_COVARIANCE = np.array([[2.0, 0.3, -0.1], [0.3, 1.0, 0.4], [-0.1, 0.4, 0.8]])


_dirichlet = composite(
    inputs=("x", "alpha"),
    domain=(0, np.inf),
    samples=(
        {"x": _TWO_OF_THREE, "alpha": _ALPHA},
        {"x": np.array([0.3, 0.1]), "alpha": 30 * _ALPHA},
    ),
)


@_dirichlet
def dirichlet_logpdf(x, alpha):
    """Logarithm of the density of the Dirichlet distribution, of concentrations alpha > 0, (K,).

    It is sum((alpha - 1) * log(x)) - log(beta(alpha)), from terms that stay small for large
    alpha; that is what is differentiated, in all of x, though it is a density only where they sum to 1.

    Parameters
    ----------
    x : array_like
        Points, (K,) or (K, N), whose sums over the first axis are 1; or without the last of K
        coordinates, which is then 1 minus the others.
    alpha : array_like

    Returns
    -------
    Variable
        Of shape () or (N,).

    Raises
    ------
    ValueError
        If a point lies outside of the simplex, or an alpha is not positive.
    """
    x, alpha, excess = _on_simplex(x, alpha)
    total = np.sum(alpha)
    columns = alpha if np.ndim(x) == 1 else alpha[:, np.newaxis]
    log_gammas = np.sum(log_gamma_density(columns, total * x), axis=0)
    return log_dirichlet_density(log_gammas, total, len(alpha)) + total * excess


@_dirichlet
def dirichlet_pdf(x, alpha):
    """Density of the Dirichlet distribution; parameters as those of dirichlet_logpdf."""
    return np.exp(dirichlet_logpdf(x, alpha))


def _on_simplex(x, alpha):
    """Give points with all coordinates, the concentrations, and how far the points' sums are from 1."""
    x, alpha = common(x, alpha)
    if np.ndim(alpha) != 1 or not np.all(np.greater(alpha, 0)):
        raise ValueError(f"dirichlet: alpha, of shape {np.shape(alpha)}, must be a row of positive numbers")
    if np.shape(x)[:1] == (len(alpha) - 1,):
        x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
    if np.ndim(x) not in (1, 2) or len(x) != len(alpha):
        raise ValueError(
            f"dirichlet: x has shape {np.shape(x)}; expected ({len(alpha)},) or ({len(alpha)}, N), "
            "or one row less"
        )
    excess = np.sum(x, axis=0) - 1
    bound = 1e-9 if x.dtype == np.float64 else 1e-5
    if np.any(np.less(x, 0)) or np.any(np.greater(np.absolute(excess), bound)):
        raise ValueError("dirichlet: a column of x has a negative number, or a sum that is not 1")
    return x, alpha, excess


_normal = composite(
    inputs=("x", "mean", "cov"),
    domain=(-np.inf, np.inf),
    samples=(
        {"x": (3,), "mean": (3,), "cov": _COVARIANCE},
        {"x": (2, 4, 3), "mean": (3,), "cov": _COVARIANCE},
        {"x": (4,), "mean": np.array(0.3), "cov": np.array(1.7)},
        {"x": (2, 3), "mean": (3,), "cov": np.array([2.0, 0.5, 1.0])},
        {"x": ()},
    ),
)


@_normal
def multivariate_normal_logpdf(x, mean=None, cov=1):
    """Logarithm of the density of the normal distribution of d numbers.

    It is -(d * log(2 * pi) + log(det(cov)) + r.T @ inv(cov) @ r) / 2 for r = x - mean, by a
    Cholesky factor. Of cov, the symmetric part counts, so its gradient is symmetric.

    Parameters
    ----------
    x : array_like
        Points, (..., d); for d = 1 also (...).
    mean : array_like, optional
        (d,); zeros without it.
    cov : array_like
        (d, d), or the diagonal of such a matrix, or a number, for a multiple of the unit matrix.

    Returns
    -------
    Variable
        Of shape (...).

    Raises
    ------
    numpy.linalg.LinAlgError
        If cov is not positive definite; a singular one has no density.
    """
    d = _dimension(mean, cov)
    x, mean, cov = common(x, 0 if mean is None else mean, cov)
    if d == 1 and np.ndim(x) < 2:
        x = x[..., np.newaxis]
    if np.shape(x)[-1:] != (d,):
        raise ValueError(f"multivariate_normal: x has shape {np.shape(x)}; expected (..., {d})")
    factor = _cholesky(cov, d)
    r = np.reshape(x - np.reshape(mean, (-1,)), (-1, d))
    whitened = solve_triangular(factor, np.transpose(r), lower=True)
    size = np.reshape(np.sum(whitened * whitened, axis=0), np.shape(x)[:-1])
    return -size / 2 - d * log(2 * pi) / 2 - np.sum(np.log(np.diagonal(factor)))


@_normal
def multivariate_normal_pdf(x, mean=None, cov=1):
    """Density of the normal distribution; parameters as those of multivariate_normal_logpdf."""
    return np.exp(multivariate_normal_logpdf(x, mean, cov))


@composite(
    inputs=("cov",),
    domain=(-np.inf, np.inf),
    samples=({"cov": _COVARIANCE}, {"cov": np.array(1.7)}, {"mean": [0, 0], "cov": np.array([2.0, 0.5])}),
)
def multivariate_normal_entropy(mean=None, cov=1):
    """Entropy of the normal distribution, (d * (1 + log(2 * pi)) + log(det(cov))) / 2; mean says d only."""
    d = _dimension(mean, cov)
    (cov,) = common(cov)
    return d * (1 + log(2 * pi)) / 2 + np.sum(np.log(np.diagonal(_cholesky(cov, d))))


def _dimension(mean, cov):
    """Give the number of dimensions, as SciPy does."""
    if mean is not None:
        return max(np.size(mean), 1)
    return 1 if np.ndim(cov) < 2 else len(cov)


def _cholesky(cov, d):
    """Give the Cholesky factor of a covariance, or of what a diagonal or a number stands for."""
    if np.ndim(cov) < 2 and np.size(cov) in (1, d):
        cov = cov * np.eye(d, dtype=cov.dtype)
    if np.shape(cov) != (d, d):
        raise ValueError(
            f"multivariate_normal: cov has shape {np.shape(cov)}; expected ({d}, {d}), ({d},) or ()"
        )
    try:
        return np.linalg.cholesky((cov + np.transpose(cov)) / 2)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(
            "multivariate_normal: cov is not positive definite; a singular covariance has no density"
        ) from None
