"""Convolution in any number of dimensions."""

import numpy as np
from scipy import signal

from registry import Function


class SignalConvolve(Function):
    """Discrete convolution of two arrays of one number of axes, real or complex, as scipy.signal.convolve.

    `mode` says which part of it: "full", "same" (of the shape of in1, from the middle), or
    "valid" (where the smaller array lies within the other). `method` is "direct", "fft", or
    "auto" for the faster one. Gradients are convolutions of gy with the mirrored arrays.
    """

    implements = signal.convolve
    expected_failures = {"numpy_function": "SciPy converts its arguments to arrays, so the helper is called"}
    saves = ("xs",)
    only_reads = True
    samples = (
        {"in1": (4,), "in2": (3,)},
        {"in1": (3, 4), "in2": (2, 3), "mode": "same"},
        {"in1": (2, 3), "in2": (3, 5), "mode": "same", "method": "fft"},
        {"in1": (4, 3), "in2": (2, 3), "mode": "valid", "method": "direct"},
        {"in1": (2,), "in2": (5,), "mode": "valid"},
        {"in1": (2, 3, 2), "in2": (1, 2, 2), "method": "fft"},
        {"in1": (), "in2": ()},
    )

    def __init__(self, mode="full", method="auto"):
        self.mode, self.method = mode, method

    def forward(self, in1, in2):
        return np.asarray(signal.convolve(in1, in2, self.mode, self.method))

    def backward(self, gy):
        in1, in2 = self.xs
        if not gy.ndim:
            return gy * in2, gy * in1
        shapes = np.array([in1.shape, in2.shape])
        whole = np.sum(shapes, axis=0) - 1
        before = {"full": 0 * whole, "same": (shapes[1] - 1) // 2, "valid": np.min(shapes, axis=0) - 1}[
            self.mode
        ]
        full = np.pad(gy, np.stack([before, whole - before - gy.shape], axis=1).tolist())
        part = SignalConvolve("valid", self.method)
        return part(full, np.flip(in2)), part(full, np.flip(in1))
