"""An operator registry with automatic differentiation for NumPy.

The core records and differentiates; every operator comes from a plugin.
"""

from typing import TYPE_CHECKING, Any

from registry import ops, plugins
from registry.calculus import (
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    numerical_diff,
    stop_gradient,
    value_and_grad,
    vjp,
)
from registry.catalog import Operator, Plugin
from registry.checkpointing import checkpoint
from registry.collecting import operators_in
from registry.composite import composite
from registry.errors import (
    AmbiguousOperatorError,
    AnomalyError,
    CompileError,
    ConformanceError,
    ConversionError,
    GradientError,
    GraphError,
    HigherOrderError,
    NoOperatorError,
    NotRecordedError,
    OperatorDefinitionError,
    OverwrittenError,
    PluginError,
    PluginWarning,
    RegistryError,
    UnknownConfigError,
    UnknownOperatorError,
    UnsupportedTypeError,
)
from registry.function import Function
from registry.hookspecs import hookimpl
from registry.modes import no_grad, using_config
from registry.numpy_protocol import plain
from registry.plugin_manager import PluginManager, Settings, connect, operator
from registry.state import Registry, block, default_registry, load_plugins, prefer, using_registry
from registry.threads import get_num_threads, set_num_threads
from registry.variable import Variable, as_array, as_variable
from registry.version import __version__

if TYPE_CHECKING:
    from registry import graph
    from registry.compiler import compile  # noqa: A004
    from registry.observers.anomaly import detect_anomaly
    from registry.observers.guard import guard
    from registry.observers.log import trace
    from registry.observers.profiling import profile

__all__ = [
    "AmbiguousOperatorError",
    "AnomalyError",
    "CompileError",
    "ConformanceError",
    "ConversionError",
    "Function",
    "GradientError",
    "GraphError",
    "HigherOrderError",
    "NoOperatorError",
    "NotRecordedError",
    "Operator",
    "OperatorDefinitionError",
    "OverwrittenError",
    "Plugin",
    "PluginError",
    "PluginManager",
    "PluginWarning",
    "Registry",
    "RegistryError",
    "Settings",
    "UnknownConfigError",
    "UnknownOperatorError",
    "UnsupportedTypeError",
    "Variable",
    "__version__",
    "as_array",
    "as_variable",
    "block",
    "checkpoint",
    "compile",
    "composite",
    "connect",
    "default_registry",
    "detect_anomaly",
    "elementwise_grad",
    "get_num_threads",
    "grad",
    "graph",
    "guard",
    "hessian",
    "hookimpl",
    "hvp",
    "jacobian",
    "jvp",
    "load_plugins",
    "no_grad",
    "numerical_diff",
    "operator",
    "operators_in",
    "ops",
    "plain",
    "plugins",
    "prefer",
    "profile",
    "set_num_threads",
    "stop_gradient",
    "trace",
    "using_config",
    "using_registry",
    "value_and_grad",
    "vjp",
]

connect(default_registry(), Settings.from_environment())


# What few need is imported when it is asked for: it takes a third of the time of everything else.
_LATER = {
    "compile": "registry.compiler.function",
    "detect_anomaly": "registry.observers.anomaly",
    "graph": "registry.graph",
    "guard": "registry.observers.guard",
    "profile": "registry.observers.profiling",
    "trace": "registry.observers.log",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'registry' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_LATER[name])
    return module if name == "graph" else getattr(module, name)
