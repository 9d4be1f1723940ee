"""The command `groundlings ui`."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.environments.errors import ConfigError
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.running.events import Progress
    from groundlings.experiments.ui.guard import Access

_MISSING = 'ui needs Starlette and Uvicorn: pip install "groundlings[ui]"'
_PORT = 8765
_PATIENCE_SECONDS = 60.0


def ui(
    root: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The directory that holds the runs, or one run.")
    ] = Path("runs"),
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where it listens; 0 takes a free one.")
    ] = _PORT,
    host: Annotated[
        str, typer.Option("--host", help="The interface; on any but the loopback one, runs cannot be controlled.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
    linger: Annotated[float | None, typer.Option("--linger", min=1, hidden=True)] = None,
) -> None:
    """Show every run of a directory in a browser: answers, reports, people, calls, and live pages while one goes.

    It listens on this machine only, sets no cookie and asks no other server for anything.
    """
    check_installed()
    import uvicorn

    from groundlings.experiments.ui.app import web_app
    from groundlings.experiments.ui.guard import LOOPBACK, Access

    if not root.is_dir():
        raise ConfigError(f"{root}: there is no such directory; name the one that holds your runs")
    console = Terminal(soft_wrap=True)
    bound = _bound(host, port)
    access = Access() if host in LOOPBACK else _open_to_others(host, bound, console)
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}/"
    console.print(f"runs of {escape(str(root))}: {escape(address)}  (Ctrl-C ends it)", highlight=False)
    if browser:
        webbrowser.open(address)
    app = web_app(root, access)
    config = uvicorn.Config(app, log_level="error", server_header=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    if linger is not None:
        from groundlings.experiments.ui.lingering import end_when_idle

        end_when_idle(server, app, root, linger)
    server.run(sockets=[bound])


def _open_to_others(host: str, bound: socket.socket, console: Terminal) -> Access:
    from groundlings.experiments.ui.guard import LOOPBACK, Access

    console.print(
        "[yellow]warning[/] whoever can reach this address reads every run here, prompts included; runs cannot be "
        "controlled from it"
    )
    everywhere = ip_address(bound.getsockname()[0].partition("%")[0]).is_unspecified  # 0, ::0 and others say so, too
    names = {host, socket.gethostname(), socket.getfqdn()} if everywhere else {host}
    hosts = (*LOOPBACK, *sorted(name.lower() for name in names))
    return Access(hosts=hosts, control=False, any_address=everywhere)


_TAKEN = (errno.EADDRINUSE, errno.EACCES)
"""Faults of a port; all others are of the interface."""


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens; bound here, so that a port in use is one clear message."""
    if not host:
        raise ConfigError("--host: it is empty; name an interface, such as 127.0.0.1, or 0.0.0.0 for all of them")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError, ValueError, TypeError) as fault:  # the last two: no name that can be looked up
        listening.close()
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        if isinstance(fault, OverflowError) or (isinstance(fault, OSError) and fault.errno in _TAKEN):
            remedy = "choose another port"
        else:
            remedy = "name an interface of this machine as --host, such as 127.0.0.1 or ::1, or 0.0.0.0 for all of them"
        raise ConfigError(f"--host {host} --port {port}: cannot listen there ({why}); {remedy}") from None
    listening.set_inheritable(True)
    return listening


def check_installed() -> None:
    """Raise `ConfigError` where the packages are missing that serve pages."""
    if not all(find_spec(name) for name in ("starlette", "uvicorn")):
        raise ConfigError(_MISSING)


def opening_a_page(progress: Progress) -> Progress:
    """Passes events on, and opens the live page of the run when there is something to show."""
    from groundlings.experiments.running.events import ArmBegins, Changed, Note, ProgressEvent, RunBegins

    begun: list[Path] = []
    shown: list[str] = []

    def opened(event: ProgressEvent) -> ProgressEvent:
        match event:
            case RunBegins(directory):
                begun.append(directory)
            case ArmBegins() if begun and not shown:
                shown.append(_open_live_page(begun[0]))
                progress.event(Note(f"live page: {shown[0]}"))
        return event

    return Changed(progress, opened)


def _open_live_page(directory: Path) -> str:
    """Serve the live page of a run, in a process of its own that slows nothing down, and open it in a browser.

    It ends some minutes after the run, when nobody looks any more.

    Args:
        directory: The run's.

    Returns:
        Its address.
    """
    bound = _bound("127.0.0.1", 0)
    port = bound.getsockname()[1]
    bound.close()
    subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "groundlings", "ui", str(directory.resolve()), "--port", str(port), "--linger", "300"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}/"
    threading.Thread(target=_open_when_served, args=(address, port), name="browser", daemon=True).start()
    return address


def _open_when_served(address: str, port: int) -> None:
    """Open an address as soon as its server listens: a browser that comes earlier shows an error and stays there."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            webbrowser.open(address)
            return
