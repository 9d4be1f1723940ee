"""Spoilt run directories, handed to every command that reads a run, and to the one that goes on with it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mutation
from typer.testing import CliRunner
from world import EARLIER, Campaign, Work, World

from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.registry import FORMATS
from groundlings.experiments.running.events import ProgressEvent, SessionsWritten
from groundlings.experiments.running.run import run_experiment

DRAWN_EVERY = 10


class _Stopped:
    """Presses Ctrl-C once some sessions are written."""

    def event(self, event: ProgressEvent) -> None:
        if isinstance(event, SessionsWritten):
            raise KeyboardInterrupt


def run_directories(world: World, total: int) -> Campaign:
    """A finished and an interrupted run, spoilt file by file."""
    cli._mount()
    cli.drawing_beside = contextlib.nullcontext  # pictures are imported here, and seldom drawn
    stopped = world.root / "stopped"
    with contextlib.suppress(KeyboardInterrupt):
        run_experiment(ExperimentConfig.model_validate({**EARLIER, "base": world.configs}), stopped, _Stopped())
    target = world.root / "spoilt" / "quickstart"

    def spoil(number: int, luck: random.Random) -> tuple[str, Work]:
        shutil.rmtree(target.parent, ignore_errors=True)
        source = luck.choice((world.earlier, world.earlier, stopped))
        shutil.copytree(source, target)
        how = luck.choice(_WAYS)(target, luck)
        world.draw(number % DRAWN_EVERY == 0)
        commands = [luck.choice(_commands(world, target, luck)) for _ in range(3)]
        return how, lambda: _ask(target, commands)

    return Campaign("runs", total, spoil)


def _commands(world: World, run: Path, luck: random.Random) -> list[list[str]]:
    formats = luck.choice(list(FORMATS))
    return [
        ["report", str(run)],
        ["digest", str(run)],
        ["compare", str(run), *luck.choice(([], ["--json"], ["--variant", str(world.earlier)]))],
        ["agent", str(run), "--user", luck.choice(("1", "2", "3", "u1")), *luck.choice(([], ["--prompts"]))],
        ["export", str(run), "--format", formats, "--out", str(run.parent / "out"), *luck.choice(([], ["--partial"]))],
        ["runs", "show", str(run)],
        ["runs", "list", "--dir", str(run.parent)],
        ["runs", "diff", str(run), str(world.earlier)],
        ["run", "--resume", str(run)],
        ["run", "--resume", str(run)],
    ]


def _ask(run: Path, commands: list[list[str]]) -> str:
    """The commands one after another; the first error counts, but only when all have been asked."""
    first: Exception | None = None
    for command in commands:
        before = _fingerprints(run)
        shutil.rmtree(run.parent / "out", ignore_errors=True)
        result = CliRunner().invoke(cli.app, command)
        error = result.exception
        writes = command[0] in ("run", "report")
        changed = [name for name, was in before.items() if was != _fingerprints(run).get(name)]
        if changed and not (writes and (error is None or "damaged" not in str(error))):
            raise AssertionError(f"{' '.join(command)} changed {', '.join(changed)}")
        if error is not None and not isinstance(error, SystemExit):
            first = first or error
            if type(error).__module__ != "groundlings.environments.errors":
                error.args = (f"{' '.join(command[:2])}: {error}",)
                raise error
    if first is not None:
        raise first
    return "read as if nothing had happened"


def _fingerprints(run: Path) -> dict[str, str]:
    """Of all but what SQLite keeps beside a database while somebody reads it."""
    files = [path for path in run.iterdir() if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextlib.contextmanager
def _opened(run: Path) -> Iterator[sqlite3.Connection]:
    """The log, to change it; afterwards it is one file again."""
    log = sqlite3.connect(run / "log.db")
    with contextlib.closing(log), log:
        yield log


def _bytes_of_a_file(run: Path, luck: random.Random) -> str:
    path = luck.choice([path for path in run.iterdir() if path.suffix in (".db", ".yaml", ".json")])
    how, content = mutation.spoil_bytes(path.read_bytes(), luck)
    path.write_bytes(content)
    return f"{path.name}, {how}"


def _pages_of_the_log(run: Path, luck: random.Random) -> str:
    """Bytes of one page of the database, the first one with the schema as likely as all others."""
    path = run / "log.db"
    content = bytearray(path.read_bytes())
    start = luck.choice((0, luck.randrange(len(content) // 4096) * 4096))
    for _ in range(luck.choice((1, 10, 200))):
        content[start + luck.randrange(4096)] = luck.randrange(256)
    path.write_bytes(content)
    return "log.db, a page spoilt"


def _json_of_a_file(run: Path, luck: random.Random) -> str:
    found = list(run.glob("*.json"))
    if not found:
        return _bytes_of_a_file(run, luck)
    path = luck.choice(found)
    how, content = mutation.spoil_yaml(path.read_text(), luck, [(("digest",), "", ("x",)), (("versions",), "", ({},))])
    import yaml

    path.write_text(json.dumps(yaml.safe_load(content), default=str))
    return f"{path.name}, {how}"


def _yaml_of_the_run(run: Path, luck: random.Random) -> str:
    path = run / "config.yaml"
    how, content = luck.choice((
        lambda: mutation.spoil_yaml(path.read_text(), luck, [(("seed",), "", (1, 2))]),
        lambda: mutation.spoil_lines(path.read_text(), luck),
    ))()  # fmt: skip
    path.write_bytes(content)
    return f"config.yaml, {how}"


def _cells_of_the_log(run: Path, luck: random.Random) -> str:
    """Something else in cells, as a tool or a hand may leave it; what the schema forbids is tried anew."""
    odd = (None, "", "x", "{}", "[]", "null", "1", 0, -1, 10**9, 2**62, 0.5, 1e308, b"\xff", "done", "nan", "🎭", "{")
    with _opened(run) as log:
        tables = [name for (name,) in log.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        while True:
            table = luck.choice(tables)
            column = luck.choice([row[1] for row in log.execute(f"PRAGMA table_info({table})")])
            where = luck.choice(("", f"WHERE rowid = {luck.randrange(1, 20)}"))
            with contextlib.suppress(sqlite3.Error):
                log.execute(f"UPDATE {table} SET {column} = ? {where}", (luck.choice(odd),))
                break
    return f"log.db, cells of {table}"


def _parts_of_the_log(run: Path, luck: random.Random) -> str:
    """Rows, columns or tables gone, or twice."""
    with _opened(run) as log:
        tables = [name for (name,) in log.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = luck.choice(tables)
        column = luck.choice([row[1] for row in log.execute(f"PRAGMA table_info({table})")])
        statement = luck.choice((
            f"DELETE FROM {table}",
            f"DELETE FROM {table} WHERE rowid = 1",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} DROP COLUMN {column}",
            f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
            "INSERT INTO runs SELECT 'second', * FROM (SELECT * FROM runs)",
            "UPDATE schema_migrations SET number = number + 50",
            "DELETE FROM schema_migrations",
        ))  # fmt: skip
        with contextlib.suppress(sqlite3.Error):
            log.execute(statement)
    return f"log.db, {' '.join(statement.split()[:2]).lower()}"


def _files_of_the_run(run: Path, luck: random.Random) -> str:
    path, other = (luck.choice([path for path in run.iterdir() if path.is_file()]) for _ in range(2))
    ways: dict[str, Callable[[], Any]] = {
        "gone": path.unlink,
        "a directory": lambda: (path.unlink(), path.mkdir()),
        "a link to nowhere": lambda: (path.unlink(), path.symlink_to("nowhere")),
        "another one's": lambda: path.write_bytes(other.read_bytes()),
    }  # fmt: skip
    how = luck.choice(list(ways))
    ways[how]()
    for suffix in luck.choice(((), (), ("-wal",), ("-journal",), ("-shm",))):
        (run / f"log.db{suffix}").write_bytes(luck.randbytes(100))
    return f"{path.name} is {how}"


_WAYS = (
    *(_bytes_of_a_file, _bytes_of_a_file, _pages_of_the_log, _pages_of_the_log, _json_of_a_file, _yaml_of_the_run),
    *(_cells_of_the_log, _cells_of_the_log, _parts_of_the_log, _files_of_the_run),
)
