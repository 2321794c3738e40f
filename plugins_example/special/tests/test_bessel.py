"""Bessel functions beside mpmath: slopes from Wronskians, bends from the differential equation."""

import mpmath as mp
import pytest
from scipy import special

from registry import grad

INTEGERS = (0, 1, 2, 5)
ORDERS = (*INTEGERS, 0.5, 2.3, -0.7)


def first_kind(v, x):
    y, first = mp.besselj(v, x), mp.besselj(v, x, derivative=1)
    return y, first, -first / x - (1 - (v / x) ** 2) * y


def second_kind(v, x):
    (j, j_first, _), y = first_kind(v, x), mp.bessely(v, x)
    first = (2 / (mp.pi * x) + j_first * y) / j
    return y, first, -first / x - (1 - (v / x) ** 2) * y


def modified(v, x):
    y, first = mp.besseli(v, x), mp.besseli(v, x, derivative=1)
    return y, first, -first / x + (1 + (v / x) ** 2) * y


def modified_second_kind(v, x):
    (i, i_first, _), y = modified(v, x), mp.besselk(v, x)
    first = (i_first * y - 1 / x) / i
    return y, first, -first / x + (1 + (v / x) ** 2) * y


def scaled(v, x):
    y, first, second = modified(v, x)
    s = mp.sign(x)
    return [part * mp.exp(-abs(x)) for part in (y, first - s * y, second - 2 * s * first + y)]


CASES = [
    (special.jv, first_kind, ORDERS, (0.01, 1.0, 10.0, 100.0)),
    (special.jv, first_kind, INTEGERS, (-3.0,)),
    (special.yv, second_kind, ORDERS, (0.01, 1.0, 10.0, 100.0)),
    (special.yn, second_kind, INTEGERS, (0.01, 1.0, 10.0, 100.0)),
    (special.iv, modified, ORDERS, (0.01, 1.0, 10.0, 100.0)),
    (special.iv, modified, INTEGERS, (-3.0,)),
    (special.kv, modified_second_kind, ORDERS, (0.01, 1.0, 10.0, 100.0)),
    (special.ive, scaled, ORDERS, (0.01, 1.0, 10.0, 29.0, 60.0, 150.0, 1e6)),
    (special.ive, scaled, INTEGERS, (-2.0, -150.0)),
]
NAMED = [
    (special.j0, first_kind, 0, (1e-5, 1.0, 2.404825557695773, 10.0, 100.0, -3.0)),
    (special.j1, first_kind, 1, (1e-5, 1.0, 10.0, 100.0, -3.0)),
    (special.y0, second_kind, 0, (1e-5, 0.5, 10.0, 100.0)),
    (special.y1, second_kind, 1, (1e-5, 0.5, 10.0, 100.0)),
    (special.i0, modified, 0, (1e-5, 1.0, 10.0, 100.0, -3.0)),
    (special.i1, modified, 1, (1e-5, 1.0, 10.0, 100.0, -3.0)),
    (special.k0, modified_second_kind, 0, (1e-5, 1.0, 10.0, 100.0)),
    (special.k1, modified_second_kind, 1, (1e-5, 1.0, 10.0, 100.0)),
    (special.i0e, scaled, 0, (1e-5, 1.0, 29.0, 31.0, -3.0, -40.0, 1e4, 1e8)),
    (special.i1e, scaled, 1, (1e-5, 1.0, 29.0, 31.0, -3.0, -40.0, 1e4, 1e8)),
]


def check(function, reference, v, x):
    with mp.workdps(40):
        y, first, second = reference(mp.mpf(v), mp.mpf(x))
    waves = abs(y) if reference in (first_kind, second_kind) else 0
    for found, expected in ((grad(function)(x), first), (grad(grad(function))(x), second)):
        assert abs(found - expected) <= 2e-12 * max(abs(expected), waves), (found, expected)


@pytest.mark.parametrize(
    ("function", "reference", "v", "x"),
    [
        pytest.param(f, reference, v, x, id=f"{f.__name__}({v}, {x})")
        for f, reference, orders, xs in CASES
        for v in orders
        for x in xs
    ],
)
def test_functions_of_any_order(function, reference, v, x):
    check(lambda z: function(v, z), reference, v, x)


@pytest.mark.parametrize(
    ("function", "reference", "v", "x"),
    [pytest.param(f, reference, v, x, id=f"{f.__name__}({x})") for f, reference, v, xs in NAMED for x in xs],
)
def test_functions_of_order_0_and_1(function, reference, v, x):
    check(function, reference, v, x)
