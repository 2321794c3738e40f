"""The commands of ``opregistry``: what each one is called, takes and does."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from registry import __version__
from registry.cli.errors import CommandError, message_of
from registry.cli.output import fail, on_terminal, say, warnings_as_lines
from registry.cli.streams import with_all_written
from registry.errors import RegistryError

# typer has click's class, or a copy of its own: BadParameter derives from it in both.
_TyperUsageError: type[Any] = typer.BadParameter.__bases__[0]


class Commands(TyperGroup):
    """The group of all commands; it writes each error as a message, never as a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command line, and exit."""
        kwargs["standalone_mode"] = False
        sys.exit(with_all_written(lambda: self._code(*args, **kwargs)))

    def _code(self, *args: Any, **kwargs: Any) -> int:
        """Run a command line; give its exit code, which is 0 at the end of a command alone."""
        try:
            with warnings_as_lines():
                return super().main(*args, **kwargs) or 0
        except CommandError as error:
            fail(message_of(error))
            return error.code
        except RegistryError as error:
            fail(message_of(error))
            return 1
        except _TyperUsageError as error:
            context = error.ctx
            fail(error.format_message() + (f"\nsee '{context.command_path} --help'" if context else ""))
            return 2
        except typer.Abort:
            return 130
        except SystemExit as error:  # no command's own, but a plugin's, or for a reader that went away
            if not isinstance(error.__context__, BrokenPipeError):
                fail(f"a plugin ends the process by {error!r}")
            return 1
        except OSError:
            raise  # of the streams, perhaps
        except Exception:  # a defect, here or in a plugin: how it came is of use to whoever mends it
            fail(traceback.format_exc())
            return 1


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if on_terminal() else None,
)

_PASSED_ON = {"ignore_unknown_options": True}

Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Packages = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="What pip takes: a name, a path, an option.")
]


def _version(asked: bool) -> None:
    if asked:
        say(f"opregistry {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def opregistry(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Write the version.")
    ] = False,
) -> None:
    """Operators with automatic differentiation on NumPy, from plugins."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@app.command()
def plugins(
    json: Json = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Name the operators, and show the tracebacks of failures.")
    ] = False,
    no_load: Annotated[
        bool, typer.Option("--no-load", help="Read what is installed, and import none of it.")
    ] = False,
) -> None:
    """List the plugins: version, status, operators, load time. Exits with 1 if one failed."""
    from registry.cli.plugins import list_plugins

    list_plugins(as_json=json, verbose=verbose, load=not no_load)


@app.command()
def ops(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="Only those that mention it.")] = "",
    json: Json = False,
) -> None:
    """List the operators: name, signature, what it computes, plugin."""
    from registry.cli.operators import list_operators

    list_operators(word, as_json=json)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="An operator: softplus, or special.erf of one plugin.")
    ],
) -> None:
    """Show everything about one operator, its source code too."""
    from registry.cli.operators import show_operator

    show_operator(name)


@app.command(context_settings=_PASSED_ON)
def grad(
    expression: Annotated[
        str, typer.Argument(metavar="EXPRESSION", help="Arithmetic, and operators by name.")
    ],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE...",
            help="For each name in the expression: a number, @file.npy, @file.npz:key or @file.csv.",
        ),
    ] = None,
    wrt: Annotated[
        list[str] | None,
        typer.Option("--wrt", metavar="NAME", help="Differentiate for this value only; may be repeated."),
    ] = None,
    order: Annotated[
        int,
        typer.Option(
            "--order", min=1, max=10, help="Differentiate the sum of the gradient again, up to this order."
        ),
    ] = 1,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with central differences; exits with 1 if they disagree.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE.npz", help="Save the value and the gradients.")
    ] = None,
) -> None:
    """Compute the value and the gradients of an expression.

    Example: opregistry grad "softplus(x @ w) * 2" x=@x.npy w=@w.csv --check
    """
    from registry.cli.grad import show_gradients

    show_gradients(expression, values or [], wrt=wrt or [], order=order, check=check, save=save)


@app.command()
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Plugins, and operators: exp, or special.erf of one plugin."),
    ] = None,
    json: Json = False,
    full: Annotated[
        bool, typer.Option("--full", help="Compare whole Jacobians instead of one random direction.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random numbers.")] = 0,
) -> None:
    """Check operators against the whole contract, all without a NAME. Exits with 1 on a failure."""
    from registry.cli.check import check_operators

    check_operators(names or [], as_json=json, full=full, seed=seed)


@app.command()
def demo(seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random numbers.")] = 0) -> None:
    """Train a small network on handwritten digits, with operators of two plugins."""
    from registry.cli.demo import run_demo

    run_demo(seed)


@app.command()
def coverage(
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write a page with every name.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check what is served, too.")] = False,
) -> None:
    """Tell which names of NumPy, SciPy and neural networks are served, and which are not, and why."""
    from registry.cli.coverage import show_coverage

    show_coverage(as_json=as_json, markdown=markdown, check=check)


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The operator's name, such as mish or l2-norm.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to make its folder.")] = Path("."),
) -> None:
    """Make a plugin to start from: one operator, its tests, README and packaging."""
    from registry.cli.scaffold import new_plugin

    new_plugin(name, out)


@app.command(context_settings=_PASSED_ON)
def install(names: Packages) -> None:
    """Install plugins into this environment with pip."""
    from registry.cli.pip import run_pip

    run_pip("install", names=names)


@app.command(context_settings=_PASSED_ON)
def uninstall(names: Packages) -> None:
    """Uninstall plugins, by their names or distributions, from this environment with pip, without asking."""
    from registry.cli.pip import distributions, run_pip

    run_pip("uninstall", "-y", names=distributions(names))


@app.command()
def stubs(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write them.")],
) -> None:
    """Write type stubs of the installed operators, for editors and type checkers."""
    from registry.stubs import write_stubs

    for path in write_stubs(out):
        say(str(path))
