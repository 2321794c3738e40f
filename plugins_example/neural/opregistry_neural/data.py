"""Arrays in batches."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np


class DataLoader:
    """Batches of arrays of one length, in a new order in each pass over them.

    Parameters
    ----------
    *arrays : array_like
        Their first axes have one length: inputs and labels, say.
    batch_size : int
        How many a batch has; the last one may have fewer.
    shuffle : bool
        Whether each pass has an order of its own; without, batches are views.
    drop_last : bool
        Whether a last batch that is not full is left out.
    rng : int, numpy.random.Generator or None
        Where the orders come from; an int gives the same ones in each run.
    progress : str or None
        What stands before a progress bar, which shows on a terminal; needs tqdm.

    Raises
    ------
    ValueError
        If the arrays differ in length, or the batch size is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from opregistry_neural import DataLoader
    >>> loader = DataLoader(np.arange(5), np.arange(5) ** 2, batch_size=2, shuffle=False)
    >>> len(loader)
    3
    >>> for x, t in loader:
    ...     print(x, t)
    [0 1] [0 1]
    [2 3] [4 9]
    [4] [16]
    """

    def __init__(
        self,
        *arrays: Any,
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = False,
        rng: int | np.random.Generator | None = None,
        progress: str | None = None,
    ) -> None:
        self.arrays = tuple(map(np.asarray, arrays))
        lengths = {len(array) for array in self.arrays}
        if len(lengths) != 1:
            raise ValueError(f"DataLoader: expected arrays of one length, found {sorted(lengths) or 'none'}")
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size is {batch_size}; it must be at least 1")
        self.length = lengths.pop()
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.rng = np.random.default_rng(rng)
        self.progress = progress

    def __len__(self) -> int:
        """How many batches a pass has."""
        full, rest = divmod(self.length, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        order = self.rng.permutation(self.length) if self.shuffle else None
        for i in self._shown(range(len(self))):
            batch = slice(i * self.batch_size, (i + 1) * self.batch_size)
            yield tuple(array[batch if order is None else order[batch]] for array in self.arrays)

    def _shown(self, numbers: Any) -> Any:
        if self.progress is None:
            return numbers
        try:
            tqdm = import_module("tqdm").tqdm
        except ImportError as error:
            raise ImportError(
                'DataLoader: a progress bar needs tqdm: python -m pip install "opregistry-neural[progress]"'
            ) from error
        return tqdm(numbers, desc=self.progress, unit="batch", disable=None)
