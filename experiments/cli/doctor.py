"""Looks an installation over and says, for each thing that may go wrong, what it found and how to mend it.

Nothing is changed, fetched or created, and what cannot be examined is a finding, not a crash.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

from groundlings.environments.errors import ConfigError
from groundlings.experiments.terminal import escape

DISTRIBUTION = "groundlings"
OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 25, 0)
"""The first with window functions, which the documented queries use."""
LITTLE_DISK_MIB, NO_DISK_MIB = 2048, 200
EXTRAS = {
    "embedded": "the language model that runs inside the program",
    "vllm": "language models served from this machine's GPU",
    "neural": "recommenders written with PyTorch",
    "dev": "tests and checks",
}

_PREFIX = "GROUNDLINGS_"
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        status: "ok", "warn" (works, but something is absent or odd) or "fail" (something will not work).
        subject: What was looked at.
        found: What is there.
        fix: What to do about it; empty when all is well.
    """

    status: Literal["ok", "warn", "fail"]
    subject: str
    found: str
    fix: str = ""


def run_doctor() -> list[Finding]:
    """Findings of every examination, in the order in which a person should read them."""
    findings: list[Finding] = []
    for examine in EXAMINATIONS:
        try:
            findings.extend(examine())
        except (ImportError, OSError) as fault:
            subject = examine.__name__.removeprefix("examine_").replace("_", " ")
            findings.append(Finding("fail", subject, f"cannot be examined: {fault}", "install Groundlings again"))
    return findings


def print_findings(console: Console) -> int:
    """Print the findings as a table and return the exit status: 2 if something fails, else 0."""
    findings = run_doctor()
    table = Table(box=None, pad_edge=False)
    for header in ("", "looked at", "found"):
        table.add_column(header, overflow="fold")
    for finding in findings:
        fix = f"\n[bold]fix:[/] {escape(finding.fix)}" if finding.fix else ""
        table.add_row(
            f"[{_COLOURS[finding.status]}]{finding.status}[/]", escape(finding.subject), escape(finding.found) + fix
        )
    console.print(table)
    failed = sum(finding.status == "fail" for finding in findings)
    warned = sum(finding.status == "warn" for finding in findings)
    console.print(f"\n{failed} to mend, {warned} to look at" if failed or warned else "\nAll is well.")
    return 2 if failed else 0


def examine_python() -> Iterator[Finding]:
    """The interpreter, and whether it is new enough."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("fail", "Python", found, "make an environment with Python 3.11 or newer")
    else:
        yield Finding("ok", "Python", found)


def examine_packages() -> Iterator[Finding]:
    """Where Groundlings is imported from."""
    home = Path(__file__).parents[2]
    try:
        yield Finding("ok", "Groundlings", f"{version(DISTRIBUTION)} in {home}")
    except PackageNotFoundError:
        yield Finding("warn", "Groundlings", f"{home}, not installed", "run `make install` there")


def examine_dependencies() -> Iterator[Finding]:
    """Each required distribution and each extra, against the versions Groundlings asks for."""
    try:
        requirements = [Requirement(line) for line in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        yield Finding("warn", "dependencies", "unknown: Groundlings is not installed", "run `make install`")
        return
    core = [entry for entry in requirements if entry.marker is None or entry.marker.evaluate({"extra": ""})]
    judged = {entry: _judge(entry) for entry in requirements}
    present = [f"{entry.name} {version(entry.name)}" for entry in core if not judged[entry]]
    yield Finding("ok", "dependencies", ", ".join(present))
    for entry in core:
        if judged[entry]:
            yield Finding("fail", f"dependency {entry.name}", judged[entry], _install([entry]))
    for extra, what_for in EXTRAS.items():
        members = [entry for entry in requirements if entry.marker and entry.marker.evaluate({"extra": extra})]
        missing = [entry for entry in members if entry not in core and judged[entry]]
        if missing:
            found = f"({what_for}) absent or too old: {', '.join(entry.name for entry in missing)}"
            # Shipped experiments use the embedded model; nothing shipped needs the others.
            status: Literal["ok", "warn"] = "warn" if extra == "embedded" else "ok"
            yield Finding(status, f"extra {extra}", found, f"if you want it, {_install(missing)}")
        else:
            yield Finding("ok", f"extra {extra}", f"({what_for}) installed")


def _install(entries: list[Requirement]) -> str:
    wanted = " ".join(f"'{entry.name}{entry.specifier}'" for entry in entries)
    return f"run `{shlex.quote(sys.executable)} -m pip install {wanted}`"


def _judge(entry: Requirement) -> str:
    """What is wrong with a dependency; empty when nothing is."""
    try:
        found = version(entry.name)
    except PackageNotFoundError:
        return f"not installed; wanted {entry.name}{entry.specifier}"
    return "" if entry.specifier.contains(found, prereleases=True) else f"{found}; wanted {entry.specifier}"


def examine_caches() -> Iterator[Finding]:
    """What has been fetched, and whether more can be."""
    from groundlings.environments.datasets.archives import cache_directory as data_cache
    from groundlings.simulator.language.weights import cache_directory as model_cache

    for subject, place in (("cache of data sets", data_cache), ("cache of models", model_cache)):
        try:
            directory = place()
        except ConfigError as error:
            yield Finding("fail", subject, str(error), "correct the variable")
            continue
        files = [path for path in directory.rglob("*") if path.is_file()] if directory.is_dir() else []
        size = sum(path.stat().st_size for path in files) / 2**20
        found = (
            f"{directory}: {len(files)} files, {size:.0f} MiB" if files else f"{directory}: empty; filled when needed"
        )
        yield _writable(subject, directory, found, "name another place with its GROUNDLINGS_ variable")


def examine_disk() -> Iterator[Finding]:
    """Free space and write permission where runs go by default."""
    runs = Path("runs").absolute()
    yield _writable("run directory", runs, str(runs), "start in a directory of your own, or give --out")
    free = shutil.disk_usage(_nearest_existing(runs)).free // 2**20
    if free < LITTLE_DISK_MIB:
        status: Literal["warn", "fail"] = "fail" if free < NO_DISK_MIB else "warn"
        yield Finding(status, "free disk", f"{free} MiB", "free some space, or give --out on another disk")
    else:
        yield Finding("ok", "free disk", f"{free / 1024:.0f} GiB")


def _writable(subject: str, directory: Path, found: str, fix: str) -> Finding:
    if os.access(_nearest_existing(directory), os.W_OK | os.X_OK):
        return Finding("ok", subject, found)
    return Finding("fail", subject, f"{found}; not writable", fix)


def _nearest_existing(path: Path) -> Path:
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def examine_machine() -> Iterator[Finding]:
    """Cores this process may use, and the SQLite that Python was built with."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("ok", "cores", str(cores))
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        fix = f"use a Python built with SQLite {wanted} or newer"
        yield Finding("fail", "SQLite", sqlite3.sqlite_version, fix)
    else:
        yield Finding("ok", "SQLite", sqlite3.sqlite_version)


def examine_environment() -> Iterator[Finding]:
    """Which of our environment variables are set; their values may be secret and are not shown."""
    from groundlings.environments import paths
    from groundlings.environments.datasets import archives, checked
    from groundlings.simulator.language import remote_guard
    from groundlings.simulator.log import trusted_hosts

    known = {
        archives.DIRECTORY_VARIABLE,
        archives.OFFLINE_VARIABLE,
        checked.OFF_VARIABLE,
        paths.CACHE_VARIABLE,
        remote_guard.SWITCH,
        trusted_hosts.TRUSTED,
    }
    names = {name for name in os.environ if name.startswith(_PREFIX)}
    yield Finding("ok", "environment", ", ".join(sorted(names & known)) or f"no {_PREFIX} variable is set")
    for name in sorted(names - known):
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
        yield Finding("warn", "environment", f"{name} is set, and nothing reads it", hint)


EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (
    examine_python,
    examine_packages,
    examine_dependencies,
    examine_caches,
    examine_disk,
    examine_machine,
    examine_environment,
)
