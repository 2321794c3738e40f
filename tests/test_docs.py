"""What README, CONTRIBUTING and docs say is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import registry
from registry import hookspecs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def test_the_readmes_plugin_gives_the_printed_numbers(tmp_path):
    module, use = blocks(ROOT / "README.md", "python")
    (pyproject,) = blocks(ROOT / "README.md", "toml")
    (tmp_path / "my_operators.py").write_text(module)
    key = re.search(r"opregistry\]\n(\w+) = \"(\w+)\"", pyproject)
    info = tmp_path / "my_operators-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-operators\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[opregistry]\n{key[1]} = {key[2]}\n")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", use],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert run.stderr == ""
    assert run.stdout.strip() == re.search(r"print\(.*\)  # (.*)", use)[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_hook_is_documented_with_its_exact_signature():
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    for name, hook in vars(hookspecs).items():
        if name.startswith(("register_", "before_", "after_")):
            parameters = ", ".join(hook.__code__.co_varnames[: hook.__code__.co_argcount])
            assert f"`{name}({parameters})`" in guide


def test_every_module_of_the_core_is_in_the_architecture():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for module in Path(registry.__file__).parent.glob("[a-z]*.py"):
        assert f"`{module.name}`" in page


def test_the_changelog_has_the_version():
    assert f"## {registry.__version__}" in (ROOT / "CHANGELOG.md").read_text()
