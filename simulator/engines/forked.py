"""Forked processes: where they are safe, how one begins, what it does first, and how it ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from threading import Thread
from typing import Any


def why_no_fork() -> str | None:
    """Why worker processes are not offered here; None where they are."""
    if sys.platform != "linux":  # elsewhere system libraries do not survive a fork
        return f"worker processes are forked, which is safe on Linux alone, found {sys.platform}"
    if multiprocessing.current_process().daemon:
        return "this process is a worker of another program, and may have none of its own"
    return None


def fork(
    target: Callable[..., None], *arguments: Any, beside: Iterable[Connection] = (), may_fork: bool = False
) -> tuple[ForkProcess, Connection]:
    """A forked process, and the way to it.

    Args:
        target: What it does. It is given its connection, those that it must close, and the arguments; `become_worker`
            is what it does first.
        arguments: Further ones; it has them without being sent them.
        beside: Connections to processes that were forked before.
        may_fork: Whether it has processes of its own. Such a one must be killed, or this process waits for it at its
            end.

    Raises:
        OSError: The system lets no process begin.
    """
    ours, its = multiprocessing.Pipe()
    arguments = (its, [ours, *beside], *arguments)
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments, daemon=not may_fork)
    with warnings.catch_warnings():
        # From Python 3.12 on each fork beside threads warns; whoever forks says why this one is safe.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            process.start()
        except OSError:
            ours.close()
            raise
        finally:
            its.close()
    return process, ours


def become_worker(not_ours: Iterable[Connection], life: tuple[int, int]) -> None:
    """What a forked process does first: it lets go of what is the parent's, and ends when the parent does.

    Args:
        not_ours: Connections of the parent, copied by the fork.
        life: A pipe whose second end nobody but the parent holds open: the first one ends when the parent has ended.
    """
    # Ctrl-C reaches every process of a terminal, and the parent decides what it means; its own handlers, and the
    # descriptor that wakes its event loop, are copies that must not be used.
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in (signal.SIGTERM, signal.SIGHUP):
        if callable(signal.getsignal(name)):
            signal.signal(name, signal.SIG_DFL)
    for each in not_ours:
        each.close()
    os.close(life[1])
    Thread(target=_end_with_parent, args=(life[0],), daemon=True).start()


def ending(code: int | None) -> str:
    """How a process ended, as a predicate."""
    if code is not None and code < 0:
        try:
            return f"was killed ({signal.Signals(-code).name})"
        except ValueError:
            return f"was killed (signal {-code})"
    return f"ended by itself (exit status {code})"


def _end_with_parent(life: int) -> None:
    os.read(life, 1)  # nothing is ever written: this returns when the last copy of the other end is closed
    os._exit(1)
