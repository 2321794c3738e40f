"""The NumPy functions that only ask, or whose results are constant piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    # comparison and logic
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.all, np.any, np.allclose, np.isclose, np.array_equal, np.array_equiv,
    np.isnan, np.isinf, np.isfinite, np.isposinf, np.isneginf, np.signbit,
    np.iscomplexobj, np.isrealobj, np.isreal, np.iscomplex,
    np.logical_and.reduce, np.logical_or.reduce, np.logical_xor.reduce,
    # steps
    np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.around, np.floor_divide,
    # integers and bits
    np.gcd, np.lcm, np.invert, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.bitwise_count,
    np.left_shift, np.right_shift, np.packbits, np.unpackbits,
    # positions and counts
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition,
    np.argwhere, np.nonzero, np.flatnonzero, np.ix_, np.count_nonzero, np.searchsorted, np.lexsort,
    np.digitize, np.isin, np.unravel_index, np.ravel_multi_index, np.linalg.matrix_rank,
    np.diag_indices_from, np.tril_indices_from, np.triu_indices_from,
    # shapes, types, and new arrays like another
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.min_scalar_type,
    np.zeros_like, np.ones_like, np.empty_like, np.shares_memory, np.may_share_memory, np.einsum_path,
    # texts and files
    np.array_repr, np.array_str, np.array2string, np.save, np.savez, np.savez_compressed, np.savetxt,
)  # fmt: skip
