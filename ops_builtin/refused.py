"""The NumPy functions that cannot be differentiated, and what to use instead."""

from __future__ import annotations

_MAKES_ARRAYS = "NumPy makes a plain array there and asks no operator; "

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
    "numpy.copyto": "it writes into an array in place; use np.where",
    "numpy.putmask": "it writes into an array in place; use np.where",
    "numpy.fill_diagonal": "it writes into an array in place; use np.where(np.eye(n, dtype=bool), value, a)",
}
