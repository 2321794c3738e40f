"""Every error that the registry raises: one hierarchy under `RegistryError`.

Each class also derives from the builtin that a caller would catch, so code that
knows nothing of this package handles them as it handles NumPy's.
"""

from collections.abc import Callable, Iterable


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Give the end of a message that names what comes near, or nothing."""
    from difflib import get_close_matches  # only an error pays for its import

    near = get_close_matches(name, list(known), n=3, cutoff=cutoff)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def text_of(error: BaseException | None) -> str:
    """Give an error's text, a plain str; one that cannot be had says what came instead.

    A plugin's class may raise anything in place of its text, what ends the program, too.
    """
    try:
        return str.__str__(str(error))
    except BaseException as another:  # not Ctrl-C: nobody waits for a text
        return f"{type_name(error)}, whose text is an error, too: {type_name(another)}"


def lines_of(error: BaseException, lines: Callable[[BaseException], Iterable[str]]) -> str:
    """Give what a function of `traceback` makes of an error; kind and text, where that fails."""
    try:
        return "".join(lines(error))
    except BaseException:  # it asks the error's class, as `text_of` does
        return f"{type_name(error)}: {text_of(error)}"


def type_name(value: object) -> str:
    """Give the name of a value's class, which its metaclass has no say in."""
    return str(vars(type)["__name__"].__get__(type(value)))


class RegistryError(Exception):
    """Base of every error of this package."""


class UnsupportedTypeError(RegistryError, TypeError):
    """A value that cannot be the data of a Variable or the input of an operator."""


class ConversionError(RegistryError, TypeError):
    """A conversion that would lose the gradient without a word."""


class NoOperatorError(RegistryError, TypeError):
    """No operator implements the NumPy function, method or Python operator."""


class UnknownOperatorError(RegistryError, AttributeError):
    """No operator or plugin has this name."""


class AmbiguousOperatorError(RegistryError, LookupError):
    """Several plugins offer an operator under one name and none is preferred."""


class OperatorDefinitionError(RegistryError, TypeError):
    """A class or function that cannot be an operator; the message says why."""


class UnknownConfigError(RegistryError, LookupError):
    """No mode has this name."""


class NotRecordedError(RegistryError, RuntimeError):
    """`backward` was called on a Variable that no operator recorded."""


class GradientError(RegistryError, ValueError):
    """`backward` returned what does not fit, or has no derivative by an input that wants one."""


class HigherOrderError(RegistryError, RuntimeError):
    """A higher derivative would be wrong, because a constant was taken for a variable."""


class OverwrittenError(RegistryError, RuntimeError):
    """An array that a backward pass needs was overwritten after `forward`."""


class AnomalyError(RegistryError, FloatingPointError):
    """A result or gradient holds NaN or infinity, inside `detect_anomaly`."""


class CompileError(RegistryError, TypeError):
    """A function that cannot be compiled, or a call of a compiled one that it cannot serve."""


class GraphError(RegistryError, OSError):
    """A picture of a graph could not be drawn: graphviz is missing or failed."""


class PluginError(RegistryError, RuntimeError):
    """A plugin could not be loaded; `__cause__` holds what it raised."""


class ConformanceError(RegistryError, AssertionError):
    """An operator does not keep its contract; the message has every failed check."""


class PluginWarning(UserWarning):
    """A plugin was left out, or one of its operators has no bare name."""
