"""What a command says when it cannot go on: on standard error, in our words."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path
from typing import Any

from groundlings.experiments.terminal import Terminal, escape, say

errors = Terminal(stderr=True, soft_wrap=True)


def fault_of_memory(fault: BaseException) -> BaseException | None:
    """What came of too little memory, the fault itself or what led to it; None where memory did not run out.

    A library that could not be loaded for want of memory is not missing, nor was it built without something.
    """
    seen: set[int] = set()
    while id(fault) not in seen:
        seen.add(id(fault))
        of_system = isinstance(fault, OSError) and fault.errno == errno.ENOMEM
        if isinstance(fault, MemoryError) or of_system or any(words in str(fault) for words in _OF_MEMORY):
            return fault
        fault = fault.__cause__ or fault.__context__ or fault
    return None


_OF_MEMORY = ("failed to map segment", "cannot allocate memory", "can't start new thread")
"""What the loader of libraries and Python's threads say."""


def out_of_memory(fault: BaseException) -> str:
    """How much was wanted and how much there is, where that is known."""
    from groundlings.environments.memory import available_memory, spelt

    there = available_memory()
    left = "" if there.bytes is None else f"; {spelt(there.bytes)} are left ({there.limit})"
    wanted = f" ({fault})" if str(fault) else ""
    return f"out of memory{wanted}{left}; take fewer users, items or rows, or give it more memory"


def place_of_exit(end: SystemExit) -> str | None:
    """What to say of code that ended the program in the middle of a command, whatever status it gave.

    None where the command line itself, or the web server, ends with a status of its own.
    """
    place = traceback.extract_tb(end.__traceback__)[-1]
    if {"typer", "click", "uvicorn"} & set(Path(place.filename).parts):
        return None
    return (
        f"{place.filename}, line {place.lineno}: code that this command called ended the program ({end!r}), so the "
        "command is not done; let it raise an error instead"
    )


def usage_error(fault: Any) -> int:
    """Say what is wrong with a command line, and how it should be."""
    context = getattr(fault, "ctx", None)
    if type(fault).__name__ == "NoArgsIsHelpError":  # the help itself, which newer versions have printed already
        if fault.format_message():
            say(fault.format_message())
        return int(fault.exit_code)
    if context is not None:
        say(context.get_usage(), stderr=True)
        say(f"Try '{context.command_path} --help' for help.", stderr=True)
    told = fault.format_message()
    missing = fault.param if type(fault).__name__ == "MissingParameter" else None
    if getattr(missing, "param_type_name", None) == "argument" and (meant := getattr(missing, "help", None)):
        told = f"{told} {meant}"
    if getattr(missing, "name", None) == "format_name":
        from groundlings.experiments.exports.registry import EXPORT_FORMATS

        told = f"{told} Known: {', '.join(EXPORT_FORMATS.names())}; or your own class as module:Class"
    errors.print(f"[bold red]error[/] {escape(told, newlines=True)}")
    return int(fault.exit_code)
