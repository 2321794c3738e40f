"""Parameters on disk: plain arrays in a ``.npz`` file, never pickled objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from opregistry_neural.layer import Layer


def save(path: str | os.PathLike[str], layer: Layer) -> None:
    """Write a layer's state to a ``.npz`` file, which replaces the old one when it is whole.

    Parameters
    ----------
    path : str or path
        The file's name, as it stands; `numpy.load` reads it, too.
    layer : Layer
        All its parameters and buffers are written, by their names.
    """
    unfinished = Path(f"{path}.unfinished")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **layer.state())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], layer: Layer) -> None:
    """Read a layer's state from a file that `save` wrote.

    Raises
    ------
    ValueError
        If the file's names, shapes or kinds of numbers are not the layer's, which then
        stays as it was; or if it holds pickled objects, which are never loaded.
    """
    layer.load_state(_arrays_in(path))


def _arrays_in(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.lib.npyio.NpzFile):
            with found:
                return {name: found[name] for name in found.files}
    except ValueError as error:  # it holds pickled objects, or no arrays at all
        raise ValueError(f"load: {path} is no file of plain arrays, as 'save' writes them") from error
    raise ValueError(f"load: {path} holds one array; expected named arrays, as 'save' writes them")
