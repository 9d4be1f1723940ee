"""How commands are listed by `--help`: in panels, by what they are for, and flags without the name of a type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

RUN, COMPARE, BELIEVE, DATA, MODELS = "Run", "Compare", "Believe", "Data", "Models"
"""Panels of `groundlings --help`."""


class Commands(TyperGroup):
    """A group of commands whose flags are listed as flags: "--json" and not "--json <bool>"."""

    def get_params(self, ctx: Any) -> list[Any]:
        """See the base class."""
        return _as_flags(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See the base class."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _as_flags(command.get_params(ctx))
        return command


def _as_flags(parameters: Iterable[Any]) -> list[Any]:
    found = list(parameters)
    for parameter in found:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return found
