"""Functions traced once, and replayed without recording."""

from registry.compiler.function import CompiledFunction, compile  # noqa: A004

__all__ = ["CompiledFunction", "compile"]
