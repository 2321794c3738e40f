"""Time this library beside hand-written NumPy and its peers: ``python benchmarks/run.py``.

BLAS and torch read the number of threads when they are imported, so it is set here first.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"

    from command import main

    main()
