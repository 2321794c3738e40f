"""``opregistry new``: a plugin to start from, in a folder of its own.

The template is the example plugin softplus; another name takes its place in every file.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path

from registry.cli.errors import CommandError, UsageError
from registry.cli.output import say
from registry.helpers import snake_case
from registry.state import default_registry

_TEMPLATE = {
    "README.md.in": "README.md",
    "gitignore.in": ".gitignore",
    "ci.yml.in": ".github/workflows/ci.yml",
    "module.py.in": "opregistry_softplus.py",
    "pyproject.toml.in": "pyproject.toml",
    "test.py.in": "tests/test_softplus.py",
}


def new_plugin(name: str, out: Path) -> None:
    """Write a plugin with one operator into the folder ``out/name``, whole or not at all."""
    key = operator_name(name)
    _check_that_it_is_free(key)
    folder = out / name
    if folder.exists():
        raise CommandError(f"{str(folder)!r} is there already; remove it, or choose another name or --out")
    _write(render(key), folder)
    say(f"made {folder}")
    for path in sorted(render(key)):
        say(f"  {path}")
    say(f"\nthe operator is in {folder / f'opregistry_{key}.py'}; to install and test it:")
    say(f'  cd {shlex.quote(str(folder))} && python -m pip install -e ".[test]" && python -m pytest')


def operator_name(name: str) -> str:
    """Give the operator's name, which is the plugin's too, for what somebody typed.

    Raises
    ------
    UsageError
        If it makes no name for a class, a module and a distribution.
    """
    key = re.sub(r"^opregistry[-_]", "", name).replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", key) or iskeyword(key):
        raise UsageError(
            f"{name!r} cannot be the name of an operator; expected small letters, digits and single "
            "hyphens or underscores, a letter first, and no Python keyword"
        )
    if (helper := snake_case(_class_name(key))) != key:
        raise UsageError(f"{name!r} does not come back from its class {_class_name(key)}; take {helper!r}")
    return key


def _class_name(key: str) -> str:
    return "".join(word.capitalize() for word in key.split("_"))


def _check_that_it_is_free(key: str) -> None:
    registry = default_registry()
    for plugin in registry.load():
        if plugin.name == key or any(operator.name == key for operator in plugin.operators):
            raise CommandError(f"{key!r} is a name of plugin {plugin} already; choose another one")
    if importlib.util.find_spec(f"opregistry_{key}") is not None:
        raise CommandError(f"a module opregistry_{key} is installed already; choose another name")


def render(key: str) -> Mapping[str, str]:
    """Give the files of a plugin for an operator: relative path -> text."""
    distribution = f"opregistry-{key.replace('_', '-')}"
    words = {"opregistry-softplus": distribution, "softplus": key, "Softplus": _class_name(key)}

    def renamed(text: str) -> str:
        return re.sub("|".join(words), lambda found: words[found[0]], text)

    template = files("registry.cli") / "template"
    return {
        renamed(path): renamed((template / source).read_text(encoding="utf-8"))
        for source, path in _TEMPLATE.items()
    }


def _write(rendered: Mapping[str, str], folder: Path) -> None:
    """Write all files beside their place, then move them there in one step."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".opregistry-", dir=folder.parent))
        try:
            for path, text in rendered.items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                (draft / path).write_text(text, encoding="utf-8")
            draft.chmod(0o755)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise CommandError(f"cannot make {str(folder)!r}: {error.strerror or error}") from None
