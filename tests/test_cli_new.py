"""``opregistry new``: what it makes is the example plugin under another name, and works at once."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from registry.cli.app import app
from registry.cli.errors import UsageError
from registry.cli.scaffold import operator_name, render
from registry.helpers import snake_case

EXAMPLE = Path(__file__).parents[1] / "plugins_example" / "softplus"
FILES = [
    ".github/workflows/ci.yml", ".gitignore", "README.md", "opregistry_mish.py", "pyproject.toml",
    "tests/test_mish.py",
]  # fmt: skip


def new(*arguments, code=0):
    result = CliRunner().invoke(app, ["new", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def files_under(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_softplus_is_the_example_plugin_to_the_byte():
    made = render("softplus")
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=EXAMPLE, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert sorted(made) == sorted(tracked)
    for path, text in made.items():
        assert text == (EXAMPLE / path).read_text()


def test_it_writes_the_files_and_says_what_to_do_next(tmp_path):
    shown = new("mish", "--out", tmp_path)
    folder = tmp_path / "mish"
    assert files_under(folder) == FILES
    assert [line.strip() for line in shown.splitlines() if line.startswith("  ")][:-1] == FILES
    assert shown.splitlines()[-1].strip() == (
        f'cd {folder} && python -m pip install -e ".[test]" && python -m pytest'
    )
    assert (
        "softplus" not in "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file()).lower()
    )


def test_what_it_makes_passes_its_own_tests_and_its_helper_is_there(tmp_path, site):
    new("mish", "--out", tmp_path / "made")
    folder = tmp_path / "made" / "mish"
    (site.path / "opregistry_mish.py").write_text((folder / "opregistry_mish.py").read_text())
    info = site.path / "opregistry_mish-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: opregistry-mish\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[opregistry]\nmish = opregistry_mish\n")
    paths = os.pathsep.join([str(site.path), str(Path(__file__).parents[1])])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    passed = int(re.search(r"(\d+) passed", run.stdout)[1])
    assert passed > 20
    value = "from registry.ops import mish; import numpy as np; print(mish(np.array(0.0)).item())"
    assert site.python(value) == "0.6931471805599453"


def test_the_authors_own_part_is_under_ten_lines():
    module = ast.parse(render("mish")["opregistry_mish.py"])
    (cls,) = (node for node in module.body if isinstance(node, ast.ClassDef))
    source = ast.get_source_segment(render("mish")["opregistry_mish.py"], cls)
    assert len([line for line in source.splitlines() if line.strip()]) < 10


def test_type_checkers_find_nothing_wrong(tmp_path):
    new("mish", "--out", tmp_path)
    root = str(Path(__file__).parents[1])  # they do not see an editable install
    environment = {**os.environ, "MYPYPATH": root}
    (tmp_path / "mish" / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [root]}))
    for command in (["mypy", "--no-incremental", "opregistry_mish.py"], ["pyright", "opregistry_mish.py"]):
        run = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path / "mish", env=environment,
            capture_output=True, text=True,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("typed", "distribution", "module", "cls"),
    [
        ("mish", "opregistry-mish", "opregistry_mish", "Mish"),
        ("opregistry-mish", "opregistry-mish", "opregistry_mish", "Mish"),
        ("l2-norm", "opregistry-l2-norm", "opregistry_l2_norm", "L2Norm"),
        ("my_softplus", "opregistry-my-softplus", "opregistry_my_softplus", "MySoftplus"),
        ("conv2d", "opregistry-conv2d", "opregistry_conv2d", "Conv2d"),
    ],
)
def test_one_name_makes_all_names(typed, distribution, module, cls):
    key = operator_name(typed)
    made = render(key)
    project = tomllib.loads(made["pyproject.toml"])
    assert project["project"]["name"] == distribution
    assert project["project"]["entry-points"]["opregistry"] == {key: module}
    assert project["tool"]["setuptools"]["py-modules"] == [module]
    assert project["tool"]["pytest"]["ini_options"]["operators"] == [key]
    assert f"class {cls}(Function):" in made[f"{module}.py"]


names = st.from_regex(r"[a-z][a-z0-9]{0,8}([-_][a-z0-9]{1,5}){0,3}", fullmatch=True)


@given(names)
@settings(deadline=None, max_examples=200)
def test_every_name_it_takes_gives_modules_that_compile_and_the_promised_helper(name):
    try:
        key = operator_name(name)
    except UsageError:
        return
    for path, text in render(key).items():
        if path.endswith(".py"):
            (*_, last) = ast.parse(text).body
            assert isinstance(last, ast.FunctionDef)
    (cls,) = re.findall(r"^class (\w+)\(Function\)", render(key)[f"opregistry_{key}.py"], flags=re.M)
    assert snake_case(cls) == key


@pytest.mark.parametrize(
    "name", ["Mish", "mish!", "9lives", "a b", "", "_mish", "mish_", "a--b", "lambda", "../up"]
)
def test_what_is_no_name_is_refused_with_what_was_expected(name, tmp_path):
    shown = new("--out", tmp_path, "--", name, code=2)
    assert f"{name!r} cannot be the name of an operator; expected small letters" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_its_class_does_not_give_back_is_refused_with_one_that_it_does(tmp_path):
    assert "take 'log1p'" in new("log_1p", "--out", tmp_path, code=2)


@pytest.mark.parametrize("name", ["square", "matmul", "ops_builtin"])
def test_a_name_that_is_taken_is_refused(name, tmp_path):
    assert f"{name!r} is a name of plugin ops_builtin" in new(name, "--out", tmp_path, code=1)
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_is_installed_is_not_hidden(tmp_path, site):
    (site.path / "opregistry_mish.py").write_text("")
    assert "a module opregistry_mish is installed already" in new("mish", "--out", tmp_path / "made", code=1)


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "mish").mkdir()
    (tmp_path / "mish" / "mine.txt").write_text("mine")
    assert "is there already; remove it" in new("mish", "--out", tmp_path, code=1)
    assert files_under(tmp_path) == ["mish/mine.txt"]


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot make" in new("mish", "--out", tmp_path / "file", code=1)
    assert files_under(tmp_path) == ["file"]


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    write = Path.write_text

    def full(self, text, **options):
        if self.name == "pyproject.toml":
            raise OSError(28, "No space left on device")
        return write(self, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    assert "No space left on device" in new("mish", "--out", tmp_path, code=1)
    assert list(tmp_path.iterdir()) == []
