"""Each page runs in a folder of its own, which has its texts, and with a registry of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import Registry, Settings, connect, using_registry

HERE = Path(__file__).parent
NEEDED = ("matplotlib", "opregistry_neural", "opregistry_special", "scipy", "sklearn", "statsmodels")


@pytest.fixture(autouse=True)
def own_folder_and_registry(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Run a page as a reader would beside its texts, and look whether it made its picture."""
    for module in NEEDED:
        pytest.importorskip(module)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    for text in HERE.glob("*.txt"):
        shutil.copy(text, tmp_path)
    registry = Registry()
    connect(registry, Settings())
    with using_registry(registry):
        yield
    page = Path(request.node.fspath).stem
    if page not in ("README", "book"):
        assert (tmp_path / f"{page}.png").exists(), f"{page}.md made no picture of its name"
