"""Data loader: lengths, orders, what it refuses, the progress bar."""

import io
import subprocess
import sys

import numpy as np
import pytest
from opregistry_neural import DataLoader


@pytest.mark.parametrize(
    ("length", "drop_last", "sizes"),
    [(6, False, [3, 3]), (7, False, [3, 3, 1]), (7, True, [3, 3]), (2, True, []), (0, False, [])],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_have_the_size_asked_for_but_the_last(length, drop_last, sizes, shuffle):
    loader = DataLoader(np.arange(length), batch_size=3, drop_last=drop_last, shuffle=shuffle)
    assert len(loader) == len(sizes)
    assert [len(x) for (x,) in loader] == sizes


def test_each_pass_has_an_order_of_its_own_and_all_arrays_the_same():
    x = np.arange(100)
    loader = DataLoader(x, x**2, batch_size=7, rng=0)
    passes = []
    for _ in range(2):
        batches = list(loader)
        assert all(np.array_equal(b, a**2) for a, b in batches)
        passes.append(np.concatenate([a for a, _ in batches]))
        np.testing.assert_array_equal(np.sort(passes[-1]), x)
    assert np.any(passes[0] != passes[1])
    assert np.any(passes[0] != x)


def test_a_seed_repeats_all_orders():
    first, again, other = (
        [a.tolist() for _ in range(2) for (a,) in loader]
        for loader in (DataLoader(np.arange(20), batch_size=4, rng=rng) for rng in (0, 0, 1))
    )
    assert first == again != other


def test_without_shuffling_batches_are_views_in_order():
    x = np.arange(10).reshape(5, 2)
    batches = [a for (a,) in DataLoader(x, batch_size=2, shuffle=False)]
    assert all(np.shares_memory(a, x) for a in batches)
    np.testing.assert_array_equal(np.concatenate(batches), x)


@pytest.mark.parametrize(
    ("arrays", "size", "words"),
    [
        ((np.ones(3), np.ones(4)), 2, r"arrays of one length, found \[3, 4\]"),
        ((), 2, "arrays of one length, found none"),
        ((np.ones(3),), 0, "batch_size is 0; it must be at least 1"),
    ],
)
def test_what_makes_no_batches_is_refused(arrays, size, words):
    with pytest.raises(ValueError, match=f"DataLoader: .*{words}"):
        DataLoader(*arrays, batch_size=size)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shows"), [(Terminal, True), (io.StringIO, False)])
def test_progress_shows_on_a_terminal_only(monkeypatch, stream, shows):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", stream())
    assert len(list(DataLoader(np.arange(6), batch_size=2, progress="epoch 1"))) == 3
    assert ("epoch 1: 100%" in sys.stderr.getvalue()) == shows
    assert ("3/3" in sys.stderr.getvalue()) == shows


def test_progress_without_tqdm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r'pip install "opregistry-neural\[progress\]"'):
        list(DataLoader(np.arange(6), batch_size=2, progress="epoch 1"))


def test_tqdm_is_not_imported_unless_asked_for():
    code = (
        "import sys, numpy as np, opregistry_neural as nn\n"
        "list(nn.DataLoader(np.arange(6), batch_size=2))\nprint('tqdm' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
