"""A server that was opened for one run ends by itself, some time after it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.errors import GroundlingsError
from groundlings.experiments.running.live_file import read_live
from groundlings.experiments.ui.run_shelf import shelved_runs

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOKS_SECONDS = 2.0


class _Noticing:
    """Middleware that knows when the last request came."""

    last = 0.0

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        _Noticing.last = time.monotonic()
        await self._app(scope, receive, send)


def end_when_idle(server: uvicorn.Server, app: Starlette, root: Path, seconds: float) -> None:
    """End a server when no run goes any more and no request has come for a while.

    Args:
        server: It is told to end from a thread.
        app: Its pages.
        root: The directory of the runs.
        seconds: How long it waits for a request.
    """
    app.add_middleware(_Noticing)
    _Noticing.last = time.monotonic()

    def watch() -> None:
        while not server.should_exit:
            time.sleep(min(_LOOKS_SECONDS, seconds))
            if _runs_go(root):
                _Noticing.last = time.monotonic()
            if time.monotonic() - _Noticing.last > seconds:
                server.should_exit = True

    threading.Thread(target=watch, name="linger", daemon=True).start()


def _runs_go(root: Path) -> bool:
    """Whether any run says that it goes; none does in a directory that was removed meanwhile."""
    try:
        states = [read_live(run.whole) for run in shelved_runs(root)]
    except (GroundlingsError, OSError):
        return False
    return any(state is not None and state.alive for state in states)
