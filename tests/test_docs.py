"""What README, CONTRIBUTING and docs say is what happens, and nothing is left unsaid."""

import ast
import doctest
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import registry
from registry import Function, errors, hookspecs

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guide"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted(Path(registry.__file__).parent.rglob("*.py"))
HOOKS = [name for name in vars(hookspecs) if name.startswith(("register_", "before_", "after_"))]
ERRORS = [node.name for node in ast.parse(inspect.getsource(errors)).body if isinstance(node, ast.ClassDef)]
ATTRIBUTES = [n for n, kind in Function.__annotations__.items() if "ClassVar" in kind and n[0] != "_"]
TESTS = [path for path in sorted(Path(__file__).parent.glob("test_*.py")) if path.name != "test_docs.py"]


def relative(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def guide(*pages):
    return "\n".join(page.read_text() for page in pages or sorted(GUIDE.rglob("*.md")))


class TestExamples:
    """What a reader can run gives what stands there; pytest runs the ``pycon`` blocks as doctests."""

    def test_the_readmes_plugin_gives_the_printed_numbers(self, tmp_path):
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

    @pytest.mark.parametrize("page", [p for p in PAGES[1:] if blocks(p, "python")], ids=relative)
    def test_the_python_blocks_of_a_page_are_tests_that_pass(self, page, tmp_path):
        """They stand below what the page's examples define, in a file for pytest."""
        shown = doctest.DocTestParser().get_examples(page.read_text())
        parts = ["from registry import *\n", *(e.source for e in shown), *blocks(page, "python")]
        (tmp_path / "test_page.py").write_text("".join(parts))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "registry.pytest_plugin"]
        run = subprocess.run(
            [*command, "--rootdir", str(tmp_path), str(tmp_path)],
            capture_output=True, text=True, cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        )  # fmt: skip
        assert run.returncode == 0, run.stdout

    @pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "console")], ids=relative)
    def test_commands_print_what_stands_below_them(self, page, fresh, tmp_path, monkeypatch):
        """``...`` stands for what differs from run to run, such as paths and times."""
        pytest.importorskip("typer")
        from typer.testing import CliRunner

        from registry.cli.app import app

        monkeypatch.chdir(tmp_path)
        for block in blocks(page, "console"):
            for line, expected in re.findall(r"^\$ opregistry (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.M):
                fresh(only=frozenset({"softplus"}))
                found = CliRunner().invoke(app, shlex.split(line), prog_name="opregistry").output
                flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                assert doctest.OutputChecker().check_output(expected, found, flags), found

    def test_every_block_is_in_a_language_that_is_run_here(self):
        """A block of commands that cannot be run in a test has no language; toml is read with a plugin."""
        for page in PAGES:
            languages = set(re.findall(r"^```(\w+)$", page.read_text(), flags=re.M))
            assert languages <= {"pycon", "python", "console", "toml", "mermaid"}, page
            for picture in blocks(page, "mermaid"):
                assert page.read_text().count(picture) > 1, "a picture that no example prints"
            for block in blocks(page, "pycon"):
                assert block.startswith(">>> "), (page, block)
                assert block.endswith("\n\n"), f"{page}: a blank line ends the last output of\n{block}"


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=relative)
    def test_links_within_the_repository_lead_somewhere(self, page):
        for target, anchor in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
            there = page.parent / target if target else page
            assert there.exists(), target
            if anchor:
                assert anchor in anchors(there), f"{target}#{anchor}"

    def test_every_page_of_the_guide_is_in_its_contents(self):
        contents = re.findall(r"\]\(([^)#]+)\)", (GUIDE / "README.md").read_text())
        assert {GUIDE / target for target in contents} >= set(GUIDE.rglob("*.md")) - {GUIDE / "README.md"}


def anchors(page):
    """Give the anchors that GitHub makes of a page's headings."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", prose, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class TestNothingIsLeftUnsaid:
    @pytest.mark.parametrize("name", HOOKS)
    def test_a_hook_has_a_page_with_its_exact_signature_and_each_parameter(self, name):
        page = (GUIDE / "hooks" / f"{name}.md").read_text()
        parameters = list(inspect.signature(getattr(hookspecs, name)).parameters)
        assert page.startswith(f"# `{name}({', '.join(parameters)})`\n")
        assert re.findall(r"^\| `(\w+)` \|", page, flags=re.M) == parameters
        assert f"def {name}(self" in page, "an example implements it"

    def test_there_is_no_page_of_a_hook_that_is_none(self):
        assert {page.stem for page in (GUIDE / "hooks").glob("*.md")} == set(HOOKS)

    def test_every_command_and_option_is_documented(self):
        typer = pytest.importorskip("typer")
        from registry.cli.app import app

        page = guide(GUIDE / "command-line.md")
        for name, command in typer.main.get_command(app).commands.items():
            (row,) = re.findall(rf"^\| `opregistry {name}\b.*$", page, flags=re.M)
            for option in (o for p in command.params for o in p.opts if o.startswith("--") and o != "--help"):
                assert option in row, f"{name} {option}"

    def test_every_environment_variable_is_documented_and_no_other(self):
        read = set()
        for path in SOURCES:
            source = path.read_text()
            named = re.findall(r"os\.(?:environ\.get\(|environ\[|getenv\()\"(\w+)\"", source)
            assert len(named) == len(re.findall(r"\benviron\b|\bgetenv\b", source)), path
            read.update(named)
        assert read
        for page in (guide(GUIDE / "environment.md"), (ROOT / "README.md").read_text()):
            assert set(re.findall(r"^\| `(\w+)=", page, flags=re.M)) == read
        of_tests = set(re.findall(r"OPREGISTRY_\w+", (ROOT / "tests/scale.py").read_text()))
        named = set(re.findall(r"OPREGISTRY_\w+", "".join(page.read_text() for page in PAGES)))
        assert named == read | of_tests

    @pytest.mark.parametrize("name", ERRORS)
    def test_an_error_is_documented_with_the_builtin_that_catches_it(self, name):
        builtin = getattr(errors, name).__bases__[-1].__name__
        assert f"\n| `{name}` | `{builtin}` |" in guide(GUIDE / "errors.md")

    @pytest.mark.parametrize("path", [p for p in SOURCES if "cli" not in p.parts], ids=lambda p: p.name)
    def test_every_message_of_an_error_is_documented(self, path):
        """Those of the command line say themselves what to type."""
        page = guide(GUIDE / "errors.md", GUIDE / "checks.md")
        for line, text in messages(path):
            assert text in page, f"{path}:{line}"

    def test_messages_are_found(self):
        assert sum(1 for path in SOURCES for _ in messages(path)) > 50

    @pytest.mark.parametrize("name", ATTRIBUTES)
    def test_what_an_author_may_set_on_a_class_is_documented(self, name):
        page = guide(GUIDE / "operators.md")
        assert re.search(rf"^\| (`\w+`, )*`{name}`(, `\w+`)* \|", page, flags=re.M)

    @pytest.mark.parametrize("name", [*ERRORS, *HOOKS])
    def test_every_error_and_hook_is_tested(self, name):
        """In a test file, or an example; the list of all errors does not count."""
        tests = [path.read_text() for path in TESTS if path.name != "test_errors.py"]
        examples = [block for page in PAGES for block in blocks(page, "pycon")]
        assert any(re.search(rf"\b{name}\b", text) for text in tests + examples)

    def test_every_command_and_environment_variable_is_tested(self):
        typer = pytest.importorskip("typer")
        from registry.cli.app import app

        tests = "".join(path.read_text() for path in TESTS)
        for name in typer.main.get_command(app).commands:
            assert f'"{name}"' in tests, name
        for name in re.findall(r"^\| `(\w+)=", guide(GUIDE / "environment.md"), flags=re.M):
            assert re.search(rf"\b{name}\b", tests), name

    def test_every_module_of_the_core_is_in_the_architecture(self):
        page = (ROOT / "docs" / "architecture.md").read_text()
        for module in Path(registry.__file__).parent.glob("[a-z]*.py"):
            assert f"`{module.name}`" in page

    def test_the_changelog_has_the_version(self):
        assert f"## {registry.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def messages(path):
    """Give the line of each error that a module raises, and the longest text of it without a value."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        called = ast.unparse(node.exc.func)
        if called not in {*ERRORS, "_bad", "ValueError", "NotImplementedError", "AttributeError"}:
            continue
        constants = [c.value for c in ast.walk(node.exc) if isinstance(c, ast.Constant)]
        texts = [value for value in constants if isinstance(value, str)]
        parts = [part.strip(" '\":,.;()") for text in texts for part in text.split("\n")]
        if longest := max(parts, key=len, default=""):
            yield node.lineno, longest
