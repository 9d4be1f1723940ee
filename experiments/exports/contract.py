"""What every export format promises, as tests to inherit: subclass, write two methods, run pytest.

    class TestClickList(ExportContract):
        def build(self):
            return ClickList()

        def expected_rows(self, log):
            return {"popular/clicks.csv": len(log.interactions(arm="popular"))}

pytest then exports a small run of the arms `popular` and `chance`, in which some replies could not be read. A format of
actions that this run does not have gets a run of yours: override `run_directory`. Nothing here needs pytest to be
imported.
"""

from __future__ import annotations

import csv
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from groundlings.experiments.exports.datasheet import JSON_NAME
from groundlings.experiments.exports.export import Exported, export_in
from groundlings.experiments.exports.registry import ExportFormat, format_of
from groundlings.simulator.log.reader import LogReader

TOY_EXPERIMENT: dict[str, Any] = {
    "name": "toy",
    "seed": 5,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 10}},
    "simulation": {"days": 2},
    "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4, "pages": 2, "misdeeds": ["none", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}],
}
"""The small run: two thirds of its people click and rate, and what the others did is unknown."""

_MARKS = (b"synthetic", b"sim-")


@lru_cache(maxsize=1)
def toy_run() -> TemporaryDirectory[str]:
    """A directory that holds the finished small run as long as it is kept; it is made once per process."""
    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.run import run_experiment

    folder = TemporaryDirectory(prefix="groundlings-export-")
    run_experiment(ExperimentConfig.model_validate(TOY_EXPERIMENT), Path(folder.name) / "run")
    return folder


class ExportContract(ABC):
    """Inheritable tests of an export format."""

    @abstractmethod
    def build(self) -> ExportFormat:
        """The format under test."""

    @abstractmethod
    def expected_rows(self, log: LogReader) -> Mapping[str, int]:
        """File -> the rows that it must have, counted in the log."""

    def run_directory(self) -> Path:
        """A finished run that the format can carry."""
        return Path(toy_run().name) / "run"

    def test_says_what_it_writes(self) -> None:
        """Description, rows, unknown outcomes and mark each say something."""
        format_of("contract", self.build())

    def test_writes_only_below_its_directory(self) -> None:
        """Nothing appears beside the export, and the run stays as it is."""
        before = _content(self.run_directory())
        with self._exported() as exported:
            beside = [path.name for path in exported.directory.parent.iterdir()]
            assert beside == [exported.directory.name], f"found {beside} beside the export"
            for file in exported.written.rows:
                path = (exported.directory / file).resolve()
                assert path.is_relative_to(exported.directory.resolve()), f"{file} lies outside"
        assert _content(self.run_directory()) == before, "the run was changed"

    def test_rows_agree_with_the_log(self) -> None:
        """What is counted in the log is what `Written` says."""
        with LogReader(self.run_directory()) as log:
            expected = dict(self.expected_rows(log))
        assert expected, "name at least one file"
        with self._exported() as exported:
            assert {file: exported.written.rows.get(file) for file in expected} == expected

    def test_files_hold_the_rows_that_are_stated(self) -> None:
        """CSV, JSON lines and Parquet are counted; override `count` for other kinds."""
        with self._exported() as exported:
            for file, rows in exported.written.rows.items():
                found = self.count(exported.directory / file)
                assert found in (None, rows), f"{file}: `Written` says {rows} rows, and it has {found}"

    def count(self, path: Path) -> int | None:
        """The rows of a file without its header; None where they cannot be counted."""
        if path.is_file() and path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as lines:
                return sum(1 for _ in csv.reader(lines)) - 1
        if path.is_file() and path.suffix == ".jsonl":
            return len(path.read_bytes().splitlines())
        if path.is_file() and path.suffix == ".parquet":
            import pyarrow.parquet

            return int(pyarrow.parquet.read_metadata(path).num_rows)
        return None

    def test_is_marked_as_synthetic(self) -> None:
        """Rows say "synthetic" or "sim-", or `mark` says that the datasheet alone does."""
        with self._exported() as exported:
            facts = json.loads((exported.directory / JSON_NAME).read_text(encoding="utf-8"))
            assert facts["synthetic"] is True
            files = [path for file in exported.written.rows for path in _files(exported.directory / file)]
            marked = any(mark in path.read_bytes() for path in files for mark in _MARKS)
            assert marked or "datasheet" in self.build().mark, "no file is marked, and `mark` names no datasheet"

    def test_two_exports_are_equal_byte_by_byte(self) -> None:
        """Nothing random, and no time of day."""
        with self._exported() as first, self._exported() as second:
            assert _content(first.directory) == _content(second.directory)

    @contextmanager
    def _exported(self) -> Iterator[Exported]:
        with TemporaryDirectory(prefix="groundlings-export-") as folder:
            yield export_in(format_of("contract", self.build()), self.run_directory(), Path(folder) / "export")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())


def _content(directory: Path) -> dict[str, str]:
    """File -> SHA-256; a database that is open for reading may have files beside it, which hold nothing."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _files(directory)
        if path.suffix not in (".db-shm", ".db-wal")
    }
