"""Files of numbers, which may be anybody's: looked at before they are read, and read no further than that.

Whatever is wrong with one is an error here, since a file can make its reader fail in any way.
"""

from __future__ import annotations

import io
import math
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from registry.cli.errors import UsageError
from registry.cli.evaluation import LARGEST
from registry.numpy_protocol import Array

FORMS = "a number such as 0.5, or @file.npy, @file.npz, @file.npz:key, @file.csv"
LARGEST_FILE = 25 * LARGEST  # bytes; so many has a number in text, with its comma

_HEADER = 1 << 16  # bytes, at most, of what stands before the numbers
_FEW = 6  # names in a message
_LONG = 400  # characters of a message


def read_numbers(text: str) -> Array:
    """Read what is named as ``file.npy``, ``file.npz``, ``file.npz:key`` or ``file.csv``.

    Raises
    ------
    UsageError
        If it is no regular file of numbers, or one that is too large.
    """
    text, _, key = text.partition(".npz:") if ".npz:" in text else (text, "", "")
    path = Path(text + ".npz" if key else text)
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise UsageError(f"cannot tell what {str(path)!r} holds; write {FORMS}")
    try:
        with _opened(path) as (file, size):
            return _READERS[kind](file, size, key)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    except Exception as error:
        reason = _shortened(error.args[0] if error.args else type(error).__name__)
        raise UsageError(f"cannot read numbers from {str(path)!r}: {reason}") from None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a regular file, and give its size; a pipe or device is not even opened."""
    _check_that_it_is_a_file(path.stat())
    with open(path, "rb", opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())  # of what is there now
        _check_that_it_is_a_file(status)
        yield file, status.st_size


def _check_that_it_is_a_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is a pipe, a device or a socket, not a file")
    if status.st_size > LARGEST_FILE:
        raise OSError(f"it has {status.st_size} bytes; at most {LARGEST_FILE} are read")


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_npy(file: IO[bytes], size: int, _: str = "") -> Array:
    """Read an array whose numbers are all there, as its header says, and not too many."""
    head = io.BytesIO(file.read(_HEADER))
    read_header = npy.read_array_header_1_0 if npy.read_magic(head) == (1, 0) else npy.read_array_header_2_0
    shape, _order, dtype = read_header(head)
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {dtype}, not real numbers")
    numbers = math.prod(shape)
    if min(shape, default=0) < 0 or numbers * dtype.itemsize > size - head.tell():
        raise ValueError(f"it has {size} bytes, too few for an array of shape {shape} of {dtype}")
    _check_count(numbers)
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def _read_npz(file: IO[bytes], _: int, key: str) -> Array:
    """Read one array of several; no other is unpacked."""
    with ZipFile(file) as archive:
        members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
        member = members[_chosen(members, key)]
        with archive.open(member) as unpacked:
            return _read_npy(unpacked, member.file_size)


def _chosen(names: Collection[str], key: str) -> str:
    few = [_shortened(name, 40) for name in list(names)[:_FEW]]
    held = ", ".join(few) or "no array at all"
    if more := len(names) - len(few):
        held += f" and {more} more"
    if key:
        if key not in names:
            raise KeyError(f"it has no {key!r}, but {held}")
        return key
    if len(names) != 1:
        raise KeyError(f"it holds {held}; choose one: @file.npz:key")
    return next(iter(names))


def _read_csv(file: IO[bytes], size: int, _: str) -> Array:
    lines = file.read(size).decode("utf-8-sig").splitlines()
    if lines and lines[0].strip(" ,") and not any(map(_is_number, lines[0].split(","))):
        lines = lines[1:]  # a header
    if not any(map(str.strip, lines)):
        raise ValueError("it holds none")
    array = np.loadtxt(lines, delimiter=",")
    _check_count(array.size)
    return array


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_count(numbers: int) -> None:
    if numbers > LARGEST:
        raise ValueError(f"it holds {numbers} numbers; at most {LARGEST} are read")


def _shortened(reason: object, longest: int = _LONG) -> str:
    text = " ".join(str(reason).split())
    return text if len(text) <= longest else f"{text[:longest]}..."


_READERS: dict[str, Callable[[IO[bytes], int, str], Array]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
}
