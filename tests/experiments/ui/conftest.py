"""A real server on the loopback interface, and a client that sends what it is told to."""

from __future__ import annotations

import http.client
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from groundlings.experiments.cli.ui import _bound
from groundlings.experiments.ui.app import web_app
from groundlings.experiments.ui.guard import Access


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Site:
    """A served directory of runs."""

    root: Path
    port: int
    access: Access

    def get(self, path: str, **headers: str) -> Answered:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answered:
        """As a browser posts a form of one of our pages, unless headers say otherwise."""
        sent = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        told = {"token": self.access.token} if form is None else form
        return self._ask("POST", path, urlencode(told), sent | headers)

    def key(self, name: str) -> str:
        """The address of a run."""
        found = re.search(rf'href="(/runs/[a-z0-9-]+)/">{re.escape(name)}<', self.get("/").text)
        assert found, f"{name} is not in the list"
        return found[1]

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, named, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def serving(root: Path, access: Access | None = None) -> Iterator[Site]:
    import uvicorn

    bound, access = _bound("127.0.0.1", 0), access or Access()
    server = uvicorn.Server(uvicorn.Config(web_app(root, access), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Site(root, bound.getsockname()[1], access)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@pytest.fixture(scope="module")
def site(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two copies of a finished run, one with a report of a stranger's, and things that are none."""
    root = tmp_path_factory.mktemp("runs")
    for name in ("one", "two <b>&"):
        shutil.copytree(small_run, root / name)
    (root / "one" / "report.html").write_text("<!doctype html><title>r</title><script>alert(1)</script>")
    (root / "one" / "manifest.json").write_text("{}")
    (root / "secret.txt").write_text("not for the web")
    (root / "leads out").symlink_to(small_run)
    (root / "one" / "link.json").symlink_to(root / "secret.txt")
    with serving(root) as found:
        yield found


@pytest.fixture
def serve() -> Callable[..., object]:
    """As `serving`."""
    return serving
