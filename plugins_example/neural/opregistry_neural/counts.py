"""Counts beside float16, which ends at 65504: it goes by way of float32."""

from __future__ import annotations

from typing import Any

import numpy as np


def widened(x: Any) -> Any:
    """Give numbers in float32 in place of float16, and others as they are."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def shared(x: Any, count: int) -> Any:
    """Give x / count in the dtype of x."""
    return (widened(x) / count).astype(x.dtype) if x.dtype == np.float16 else x / count
