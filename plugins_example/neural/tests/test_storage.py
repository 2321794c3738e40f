"""Saving and loading: plain arrays, whole files, nothing pickled."""

import pickle

import numpy as np
import pytest
from opregistry_neural import BatchNorm, Linear, Sequential, load, save


def network(seed, out=2):
    return Sequential(Linear(3, 4, rng=seed), BatchNorm(4), Linear(4, out, rng=seed + 1))


def test_a_layer_comes_back_as_it_was_running_averages_too(tmp_path):
    model, other = network(0), network(5)
    model(np.random.default_rng(0).normal(5, 2, (8, 3)).astype(np.float32))
    save(tmp_path / "model.npz", model)
    load(tmp_path / "model.npz", other)
    assert np.any(model[1].running_mean != 0)
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, other.state()[name])
        assert array.dtype == other.state()[name].dtype


def test_the_file_is_named_as_it_stands_and_numpy_reads_it(tmp_path):
    save(f"{tmp_path}/weights", network(0))
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
    with np.load(tmp_path / "weights", allow_pickle=False) as file:
        assert sorted(file.files) == sorted(network(0).state())


def test_equal_layers_make_equal_files(tmp_path):
    for name in "ab":
        save(tmp_path / name, network(0))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    save(path, network(0))
    before = path.read_bytes()

    def fails(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="disk full"):
        save(path, network(1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_network_changes_nothing(tmp_path):
    save(tmp_path / "model.npz", network(0, out=3))
    model = network(5)
    before = {name: array.copy() for name, array in model.state().items()}
    with pytest.raises(ValueError, match=r"2\.W is float32 of shape \(4, 3\).*shape \(4, 2\)"):
        load(tmp_path / "model.npz", model)
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


class Trap:
    """What an attacker would put into a file: it runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickled object was loaded",))


def test_nothing_pickled_is_loaded(tmp_path):
    state = network(0).state()
    np.savez(tmp_path / "objects.npz", **state | {"2.b": np.array([Trap(), Trap()], object)})
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("objects.npz", "pickle.npz"):
        model = network(5)
        before = model[0].W.data.copy()
        with pytest.raises(ValueError, match="is no file of plain arrays"):
            load(tmp_path / name, model)
        np.testing.assert_array_equal(model[0].W.data, before)


def test_a_single_array_is_no_state(tmp_path):
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ValueError, match=r"load: .*one\.npy holds one array; expected named arrays"):
        load(tmp_path / "one.npy", network(0))


def test_a_file_of_something_else_is_refused_without_advice_to_trust_it(tmp_path):
    path = tmp_path / "notes.npz"
    path.write_text("no arrays")
    with pytest.raises(ValueError, match=r"load: .*notes.npz is no file of plain arrays") as caught:
        load(path, Linear(2, 2))
    assert "pickle" not in str(caught.value)
