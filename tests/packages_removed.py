"""What an operator says when the package that brought it was uninstalled; CI runs this after doing so."""

from collections.abc import Callable

import numpy as np
from scipy import special

from registry import RegistryError, Variable, load_plugins, ops, plugins


def answer(ask: Callable[[], object]) -> str:
    """Give the message of the error that asking raises."""
    try:
        return f"found {ask()!r}"
    except RegistryError as error:
        return str(error)


assert sorted(plugin.name for plugin in load_plugins()) == ["ops_builtin", "softplus"]
for ask in (lambda: ops.conv2d, lambda: plugins.special, lambda: special.erf(Variable(np.array(0.5)))):
    print(answer(ask))
    assert "python -m pip install opregistry-" in answer(ask)
