"""What a command says when it cannot do its work."""

from __future__ import annotations


class CommandError(Exception):
    """One message for the user, and the exit code: 1 for failed work, 2 for wrong usage."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """What was typed cannot be what was meant: exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=2)


def message_of(error: BaseException) -> str:
    """Give an error's text with its notes, which say what operator it came from."""
    return "\n".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())])
