"""What the parameters of a step may be, given its inputs: strategies of Hypothesis."""

import numpy as np
from hypothesis import strategies as st


def axis(x, *_):
    return st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1)


def axis_or_none(x, *_):
    return st.none() | axis(x)


def axes(x, *_):
    several = st.lists(st.integers(0, max(x.ndim, 1) - 1), max_size=x.ndim, unique=True).map(tuple)
    return st.none() | axis(x) | several


def new_axes(x, *_):
    return st.integers(-x.ndim - 1, x.ndim) | st.sampled_from([(0, 1), (-1, 0)])


def permutation(x, *_):
    return st.none() | st.permutations(range(x.ndim)).map(tuple)


def shape(x, *_):
    """Give another shape of as many elements."""
    whole = [(-1,), (1, *x.shape), x.shape[::-1], (*x.shape, 1)]
    pairs = [(n, x.size // n) for n in range(1, x.size + 1) if x.size % n == 0]
    return st.sampled_from(whole + pairs)


def any_shape(*_):
    return st.lists(st.integers(0, 3), max_size=3).map(tuple)


def wider_shape(x, *_):
    """Give a shape that this one broadcasts to."""
    lengths = st.tuples(*[st.just(n) if n != 1 else st.integers(0, 3) for n in x.shape])
    return st.tuples(st.lists(st.integers(0, 2), max_size=2), lengths).map(lambda s: (*s[0], *s[1]))


def narrower_shape(x, *_):
    """Give a shape that broadcasts to this one."""
    lengths = st.tuples(*[st.sampled_from([1, n]) for n in x.shape])
    return st.tuples(st.integers(0, x.ndim), lengths).map(lambda s: s[1][s[0] :])


def index(x, *_):
    """Give an index: slices, numbers, masks, lists, new axes, and pairs of them."""
    if x.ndim == 0:
        return st.sampled_from([(), Ellipsis, None])
    n = x.shape[0]
    first = st.sampled_from([slice(None), slice(1, None), slice(None, None, -1), Ellipsis, None])
    first |= st.lists(st.booleans(), min_size=n, max_size=n).map(lambda mask: np.array(mask, bool))
    if n:
        first |= st.integers(-n, n - 1)
        first |= st.lists(st.integers(-n, n - 1), max_size=4).map(lambda places: np.array(places, int))
    if x.ndim == 1:
        return first
    last = st.sampled_from([slice(None, -1), slice(0, 1), 0, -1, [0, 0]])
    return first | st.tuples(st.just(Ellipsis), last) | st.tuples(first, last)


def places(x, *_):
    """Give indices along the last axis, for each vector its own."""
    n = x.shape[-1] if x.ndim else 1
    return _from_seed(lambda rng: rng.integers(-n, max(n, 1), size=(*x.shape[:-1], 2)))


def mask(x, *_):
    """Give booleans of the input's shape."""
    return _from_seed(lambda rng: rng.random(x.shape) < 0.6)


def row_of_mask(x, *_):
    """Give booleans that broadcast to the input's shape."""
    return _from_seed(lambda rng: rng.random(x.shape[-1:]) < 0.6)


def _from_seed(make):
    return st.integers(0, 255).map(lambda seed: make(np.random.default_rng(seed)))


def sections(*_):
    return st.integers(1, 3) | st.lists(st.integers(-2, 3), max_size=2).map(sorted)


def widths(x, *_):
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return pair | st.lists(pair, min_size=max(x.ndim, 1), max_size=max(x.ndim, 1))


def flag(*_):
    return st.booleans()


def number(*_):
    return st.integers(-2, 2)


def count(*_):
    return st.integers(0, 3)


def among(*values):
    return lambda *_: st.sampled_from(values)
