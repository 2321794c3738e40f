"""The NumPy functions that cannot be differentiated, and what to use instead."""

from __future__ import annotations

_MAKES_ARRAYS = "NumPy makes a plain array there and asks no operator; "
_COUNTS = "counts are constant: call it on '.data', and sum weights by np.bincount(bins, weights)"
_UNIQUE = "take the elements by x[np.unique(x.data, return_index=True)[1]]"
_SETS = "it compares elements: find positions on '.data', and take those elements"

FUNCTIONS = {
    "numpy.array": _MAKES_ARRAYS + "join Variables by np.stack or np.block",
    "numpy.asarray": _MAKES_ARRAYS + "a Variable is an array already; join several by np.stack",
    "numpy.c_": _MAKES_ARRAYS + "use np.column_stack",
    "numpy.r_": _MAKES_ARRAYS + "use np.concatenate or np.hstack",
    "numpy.full": _MAKES_ARRAYS + "use np.broadcast_to(value, shape)",
    "numpy.row_stack": "this NumPy has removed it; use np.vstack",
    "numpy.nextafter": "it is its first argument, to rounding; call it on '.data'",
    "numpy.frexp": "one of its results is of integers; with n = np.frexp(x.data)[1], use np.ldexp(x, -n)",
    "numpy.put": "it writes into an array in place; use ops.set_item",
    "numpy.place": "it writes into an array in place; use np.where",
    "numpy.copyto": "it writes into an array in place, as np.full_like does; use np.where, or "
    "np.broadcast_to(v, shape) for an array full of v",
    "numpy.putmask": "it writes into an array in place; use np.where",
    "numpy.fill_diagonal": "it writes into an array in place; use np.where(np.eye(n, dtype=bool), value, a)",
    "numpy.put_along_axis": "it writes into an array in place; use ops.set_item or np.where",
    "numpy.polydiv": "divide values instead: np.polyval(p, x) / np.polyval(q, x)",
    "numpy.apply_over_axes": "call the function itself, with axis=(...) and keepdims=True",
    "numpy.histogram_bin_edges": "call it on '.data', or make edges by np.linspace",
    **dict.fromkeys(("numpy.histogram", "numpy.histogram2d", "numpy.histogramdd"), _COUNTS),
    **dict.fromkeys(
        (f"numpy.unique{which}" for which in ("", "_all", "_counts", "_inverse", "_values")), _UNIQUE
    ),
    **dict.fromkeys((f"numpy.{name}" for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d")), _SETS),
}
