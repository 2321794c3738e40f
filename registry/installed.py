"""What is installed: the entry points of the group, read so that one broken distribution hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from itertools import chain

from registry.catalog import Plugin
from registry.hookspecs import PROJECT

Found = tuple[Plugin, Callable[[], object]]


def installed() -> list[Found]:
    """Give each plugin, not loaded yet, with what loads it, ordered by distribution and key.

    A distribution whose entry points cannot be read stands as a plugin of its name, and
    loading that raises the error.
    """
    try:
        found = [(_described(entry), entry.load) for entry in entry_points(group=PROJECT)]
    except Exception:  # of one distribution, in place of all of them
        found = list(dict(chain.from_iterable(map(_of_one, distributions()))).values())
    return sorted(found, key=lambda pair: (pair[0].distribution or "", pair[0].name, pair[0].value or ""))


def _of_one(distribution: Distribution) -> Iterator[tuple[tuple[str, str | None], Found]]:
    """Give what one distribution brings; of one that is found twice, each has the same key."""
    try:
        entries = list(distribution.entry_points.select(group=PROJECT))
    except Exception as error:  # its file may be broken in any way
        name, version = _name_and_version(distribution)
        name = name or str(getattr(distribution, "_path", "unknown")).rpartition("/")[2]
        yield (name, None), (Plugin(name, "loaded", name, version), raising(error))
        return
    for entry in entries:
        yield (entry.name, entry.value), (_described(entry), entry.load)


def _described(entry: EntryPoint) -> Plugin:
    """Say whose an entry point is; a half-removed distribution cannot tell its name."""
    name, version = _name_and_version(entry.dist) if entry.dist else (None, None)
    return Plugin(entry.name, "loaded", name, version, entry.value)


def _name_and_version(distribution: Distribution) -> tuple[str | None, str | None]:
    try:
        metadata = distribution.metadata
        name = metadata["Name"] if "Name" in metadata else None  # noqa: SIM401, it need have no get
        version = metadata["Version"] if "Version" in metadata else None  # noqa: SIM401
    except Exception:  # its metadata may be missing or broken in any way
        return None, None
    return name, version


def raising(error: Exception) -> Callable[[], object]:
    """Give what raises an error when it is called."""

    def load() -> object:
        raise error

    return load
