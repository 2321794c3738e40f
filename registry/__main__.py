"""The console script ``opregistry``, and ``python -m registry``."""

from __future__ import annotations

import sys

_EXTRA = {"typer", "rich", "click"}


def main() -> None:
    """Run the command line; without its extra, say on stderr how to install it."""
    try:
        from registry.cli.app import app
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        sys.exit(f'error: the command line needs {missing}: pip install "opregistry[cli]"')
    app(prog_name="opregistry")


if __name__ == "__main__":
    main()
