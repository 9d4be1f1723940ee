"""The pages of `groundlings ui`: which address leads where."""

from __future__ import annotations

import json
from asyncio import Semaphore
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from groundlings.environments.errors import ConfigError, GroundlingsError, RunDirectoryError
from groundlings.experiments.analysis.report.stories import day_of, fragment, story_html, styles_in
from groundlings.experiments.archive.directory import REPORT_NAME
from groundlings.experiments.archive.inventory import diff_runs
from groundlings.experiments.running.live_file import ask_to_stop, read_live
from groundlings.experiments.ui.changing import ask_for_change
from groundlings.experiments.ui.guard import Access, Guard
from groundlings.experiments.ui.live import FAULTS_OF_A_LOG, LiveRuns
from groundlings.experiments.ui.overview import Overview, RunRow
from groundlings.experiments.ui.pages import STYLED, page, report_policy, story_styles
from groundlings.experiments.ui.resuming import Resumptions
from groundlings.experiments.ui.run_shelf import ShelvedRun, find_replicate, find_run
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.asked import EXAMPLE, NotAnswered, answer

if TYPE_CHECKING:
    from markupsafe import Markup

_QUERIES_AT_ONCE = 2
_CALLS_A_PAGE = 20
_USERS_A_PAGE = 200
_FILES = {".png": "image/png", ".json": "application/json", ".yaml": "text/plain"}
"""Files of a run that may be downloaded, by their ending; a report has an address of its own."""

_LARGEST_FILE = 64 << 20


class NotHere(Exception):
    """There is no such page; the message says what is missing."""


def web_app(root: Path, access: Access | None = None) -> Starlette:
    """The web app over a directory of runs; it writes nothing but what is asked for by POST.

    Args:
        root: The directory that holds the runs, or one run.
        access: Who may ask what; on the loopback interface, with control, if absent.
    """
    pages = _Pages(root, access or Access())
    routes = [
        _at("/", pages.index),
        _at("/compare", pages.compare),
        _at("/static/{name}", _static),
        _at("/runs/{run}/", pages.run),
        _at("/runs/{run}/report.html", pages.report),
        _at("/runs/{run}/cells/{cell}/report.html", pages.replicate),
        _at("/runs/{run}/live", pages.live),
        _at("/runs/{run}/live/panel", partial(pages.live, panel=True)),
        _at("/runs/{run}/people", pages.people),
        _at("/runs/{run}/people/{agent}", pages.person),
        _at("/runs/{run}/calls", pages.calls),
        _at("/runs/{run}/sql", pages.sql, methods=["GET", "POST"]),
        _at("/runs/{run}/files/{name}", pages.file),
        _at("/runs/{run}/stop", pages.stop, methods=["POST"]),
        _at("/runs/{run}/resume", pages.resume, methods=["POST"]),
        _at("/runs/{run}/change", pages.change, methods=["POST"]),
    ]
    faults: dict[Any, Callable[[Request, Exception], Any]] = {
        NotHere: _not_here,
        GroundlingsError: _said,
        404: _not_here,
    }
    app = Starlette(routes=routes, exception_handlers=faults)
    app.add_middleware(Guard, access=pages.access)
    return app


def _at(path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: list[str] | None = None) -> Route:
    return Route(path, _readable(endpoint), methods=methods)


def _readable(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that says in one message what it cannot read: a run may be a stranger's, or be moved meanwhile."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except GroundlingsError:
            raise
        except ClientDisconnect:  # while it sent a form; nobody reads the answer
            return PlainTextResponse("the form did not come whole", status_code=400)
        except (*FAULTS_OF_A_LOG, OSError) as fault:
            raise RunDirectoryError(
                f"the run holds what no run writes, or was changed meanwhile ({type(fault).__name__}: "
                f"{str(fault)[:300]}); `groundlings runs show` says more"
            ) from None

    return answered


class _Pages:
    """Answers requests; everything that reads a log does so in a thread."""

    def __init__(self, root: Path, access: Access) -> None:
        self.access = access
        self._overview, self._live, self._resumed = Overview(root), LiveRuns(), Resumptions()
        self._asking = Semaphore(_QUERIES_AT_ONCE)

    async def index(self, _request: Request) -> Response:
        rows = await run_in_threadpool(self._overview.rows)
        return page("index.html.j2", rows=rows, root=str(self._overview.root))

    async def run(self, request: Request) -> Response:
        run, where = await self._shelved(request, matrix=True), REPORT_NAME
        if not run.is_matrix:
            row = await self._row(request)
            where = "live" if row.status == "running" or not row.has_report else REPORT_NAME
        return RedirectResponse(f"/runs/{run.key}/{where}", status_code=303)

    async def replicate(self, request: Request) -> Response:
        """Where the page of a matrix leads: its links are those of its directory, which hold without a server, too."""
        matrix, name = await self._shelved(request, matrix=True), str(request.path_params["cell"])
        found = await run_in_threadpool(find_replicate, self._overview.root, matrix, name) if matrix.is_matrix else None
        if found is None:
            raise NotHere(f"{matrix.name} has no such run; it may have been moved or deleted")
        return RedirectResponse(f"/runs/{found.key}/", status_code=303)

    async def report(self, request: Request) -> Response:
        run = await self._shelved(request, matrix=True)
        content = await run_in_threadpool(_bytes, run.directory / REPORT_NAME)
        return HTMLResponse(content, headers={"content-security-policy": report_policy(matrix=run.is_matrix)})

    async def file(self, request: Request) -> Response:
        run, name = await self._shelved(request, matrix=True), request.path_params["name"]
        kind = _FILES.get(Path(name).suffix)
        # Looked up among what lies there, so that no name can lead anywhere else.
        found = next((path for path in await run_in_threadpool(_files_in, run.directory) if path.name == name), None)
        if kind is None or found is None:
            raise NotHere(f"{run.name} has no such file to download")
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(await run_in_threadpool(_bytes, found), media_type=kind, headers=headers)

    async def live(self, request: Request, *, panel: bool = False) -> Response:
        row = await self._row(request)
        view = await run_in_threadpool(self._live.view, row.run.directory)
        resumed = await run_in_threadpool(self._resumed.of, row.run.whole)
        template = "live_panel.html.j2" if panel else "live.html.j2"
        return page(template, row=row, view=view, resumed=resumed, access=self.access)

    async def people(self, request: Request) -> Response:
        run, begins = await self._shelved(request), request.query_params.get("begins", "")
        after = _number(request, "after")
        found = await run_in_threadpool(_asked, run, lambda log: log.users_after(after, _USERS_A_PAGE + 1, begins))
        more = found[_USERS_A_PAGE - 1]["agent_id"] if len(found) > _USERS_A_PAGE else None
        return page("people.html.j2", run=run, users=found[:_USERS_A_PAGE], begins=begins, more=more)

    async def person(self, request: Request) -> Response:
        """A user's day: a part of a page for the report, which asks for it by script, or a page of its own."""
        run, agent = await self._shelved(request), str(request.path_params["agent"])
        day, whole = request.query_params.get("day"), "whole" in request.query_params
        try:
            if not whole:
                return HTMLResponse(await run_in_threadpool(_asked, run, lambda log: fragment(log, agent, day)))
            told = await run_in_threadpool(_asked, run, lambda log: _story(log, agent, day))
        except ConfigError as fault:
            if not whole:
                return PlainTextResponse(str(fault), status_code=404)
            raise NotHere(str(fault)) from None
        return page("person.html.j2", policy=STYLED, run=run, story=told)

    async def calls(self, request: Request) -> Response:
        run, after, failed = await self._shelved(request), _number(request, "after"), "failed" in request.query_params
        found = await run_in_threadpool(
            _asked, run, lambda log: log.calls_after(after, _CALLS_A_PAGE + 1, failed=failed)
        )
        shown = [{**call, "messages": _messages(call["messages"])} for call in found[:_CALLS_A_PAGE]]
        more = shown[-1]["call_id"] if len(found) > _CALLS_A_PAGE else None
        return page("calls.html.j2", run=run, calls=shown, more=more, failed=failed)

    async def sql(self, request: Request) -> Response:
        run, query, found, problem = await self._shelved(request), EXAMPLE, None, ""
        if request.method == "POST":
            if not await self.access.allowed(request):
                return PlainTextResponse("the form is of an earlier start; load the page again", status_code=403)
            # Forms end their lines as letters do.
            query = str((await request.form()).get("query", "")).replace("\r\n", "\n")
            try:
                async with self._asking:
                    found = await run_in_threadpool(answer, run.directory, query)
            except NotAnswered as fault:
                problem = str(fault)
        return page("sql.html.j2", run=run, query=query, found=found, problem=problem, access=self.access)

    async def compare(self, request: Request) -> Response:
        keys = request.query_params.getlist("run")
        if len(keys) != 2:
            raise NotHere("two runs are compared; mark two of them in the list")
        rows = [await self._row(request, key) for key in keys]
        async with self._asking:  # both logs are measured
            found = await run_in_threadpool(diff_runs, rows[0].run.directory, rows[1].run.directory)
        return page("compare.html.j2", rows=rows, contrasts=found)

    async def stop(self, request: Request) -> Response:
        row = await self._controlled(request)
        # Asked of the file and not of the log: while a resumed run prepares, its log says "interrupted" still.
        if await run_in_threadpool(read_live, row.run.whole) is not None:
            await run_in_threadpool(ask_to_stop, row.run.whole)
        return RedirectResponse(f"/runs/{row.run.key}/live", status_code=303)

    async def resume(self, request: Request) -> Response:
        row = await self._controlled(request)
        if row.status in ("interrupted", "failed", "killed"):
            await run_in_threadpool(self._resumed.begin, row.run.whole)
        return RedirectResponse(f"/runs/{row.run.key}/live", status_code=303)

    async def change(self, request: Request) -> Response:
        row = await self._controlled(request)
        if row.status != "running":
            raise NotHere("the run is not at work, so nothing can change in it; it may have ended")
        form = await request.form()
        arms = [str(arm) for arm in form.getlist("arm")]
        wanted = {name: str(form.get(name, "")) for name in ("kind", "value", "day")}
        try:
            await run_in_threadpool(ask_for_change, row.run.directory, arms, **wanted)
        except ConfigError as fault:
            return page("message.html.j2", title="Nothing was changed", text=str(fault), status=400)
        return RedirectResponse(f"/runs/{row.run.key}/live", status_code=303)

    async def _controlled(self, request: Request) -> RunRow:
        if not await self.access.allowed(request):
            raise NotHere("the form is of an earlier start of this server; load the page again")
        return await self._row(request)

    async def _shelved(self, request: Request, key: str | None = None, *, matrix: bool = False) -> ShelvedRun:
        """The run of an address; that of a matrix, which has no log, only for what needs none."""
        wanted = key or str(request.path_params["run"])
        run = await run_in_threadpool(find_run, self._overview.root, wanted)
        if run is None:
            raise NotHere("there is no such run here; it may have been moved or deleted")
        if run.is_matrix and not matrix:
            raise NotHere(f"{run.name} is one experiment run several times; open one of its runs in the list")
        return run

    async def _row(self, request: Request, key: str | None = None) -> RunRow:
        run = await self._shelved(request, key)
        return await run_in_threadpool(self._overview.row, run)


def _asked(run: ShelvedRun, question: Callable[[LogReader], Any]) -> Any:
    with LogReader(run.directory) as log:
        return question(log)


def _story(log: LogReader, agent: str, day: str | None) -> Markup:
    told = day_of(log, agent, day)
    return story_html(told, styles_in(log), day_link=lambda who, which: f"{who}?whole=1&day={which + 1}")


def _messages(written: str) -> list[tuple[str, str]]:
    """Role and text of each message of a prompt; the whole as it stands where it is none of ours."""
    try:
        return [(str(each["role"]), str(each["content"])) for each in json.loads(written)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return [("prompt", written)]


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise NotHere(f"there is no {path.name} in this run")
    if path.stat().st_size > _LARGEST_FILE:
        raise NotHere(f"{path.name} is larger than {_LARGEST_FILE >> 20} MiB; copy it from the run's directory")
    return path.read_bytes()


def _files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def _number(request: Request, name: str) -> int:
    """A query parameter that counts; 0 where it is none."""
    given = request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0


async def _static(request: Request) -> Response:
    kinds = {"ui.css": "text/css", "ui.js": "text/javascript"}
    name = request.path_params["name"]
    if name == "story.css":
        return Response(story_styles(), media_type="text/css")
    if name not in kinds:
        raise NotHere("there is no such file")
    content = files("groundlings.experiments.ui").joinpath("templates", name).read_text(encoding="utf-8")
    return Response(content, media_type=kinds[name])


async def _not_here(_request: Request, fault: Exception) -> Response:
    said = str(fault) if isinstance(fault, NotHere) else "there is no such page"
    return page("message.html.j2", title="Not found", text=said, status=404)


async def _said(_request: Request, fault: Exception) -> Response:
    return page("message.html.j2", title="This cannot be shown", text=str(fault), status=500)
