"""What a command says when it cannot go on: on standard error, in our words."""

from __future__ import annotations

from typing import Any

from groundlings.experiments.terminal import Terminal, escape, say

errors = Terminal(stderr=True, soft_wrap=True)


def out_of_memory(fault: MemoryError) -> str:
    """How much was wanted and how much there is, where that is known."""
    from groundlings.environments.memory import available_memory, spelt

    there = available_memory()
    left = "" if there.bytes is None else f"; {spelt(there.bytes)} are left ({there.limit})"
    wanted = f" ({fault})" if str(fault) else ""
    return f"out of memory{wanted}{left}; take fewer users, items or rows, or give it more memory"


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
    errors.print(f"[bold red]error[/] {escape(fault.format_message(), newlines=True)}")
    return int(fault.exit_code)
