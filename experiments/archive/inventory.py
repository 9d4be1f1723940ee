"""Looking after runs: which there are, what one holds, how two differ, and removing one."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.key_words import without_keys, without_keys_as_names
from groundlings.experiments.analysis.answer.file import StoredAnswer, read_answer
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg
from groundlings.experiments.analysis.metrics.lost import LostPages, altogether
from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostAfterthoughts
from groundlings.experiments.analysis.metrics.lost_lessons import Lessons
from groundlings.experiments.analysis.metrics.lost_replies import LostReplies
from groundlings.experiments.analysis.metrics.model_lists import ModelLists
from groundlings.experiments.archive.directory import CELLS, CONFIG_NAME, STOPPED_NAME, locked
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.log_check import FEW_ROWS, SOME_ROWS, LogCheck, warn_of_changes
from groundlings.experiments.config.loading import leaves
from groundlings.experiments.exports.source import Counts, LogSource
from groundlings.simulator.log.digest_version import version_in
from groundlings.simulator.log.nearby import did_you_mean
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import ADDRESS_NAME, LOG_NAME, store_at

_NOISE = 0.05
_MOST_DAYS = 10**9

UNREADABLE = "unreadable"
"""The status of a directory whose log cannot be read: it is damaged, closed to us, or its server is away."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run at a glance.

    Attributes:
        directory: Where it lies.
        status: As in the log (running, done, interrupted, failed), or `UNREADABLE`.
        size_bytes: All of its files, and what its log takes on a server.
        problem: Why an unreadable one cannot be read; None for others.
        facts: The row of `runs`, JSON columns parsed; empty for an unreadable one, as are `counts`.
        counts: What each arm holds, in the order of the YAML.
        digest: SHA-256 of what happened; None before a run is done. The manifest's where the seals vouch for it.
        versions: Package -> version, Python's own included where it is known.
        lost: The pages of which nothing is known, and why; empty for an unreadable one.
        afterthoughts: Arm -> what is lost of what its agents were asked after sessions; only arms that lost any.
        lessons: Arm -> what its recommender asked in order to learn; only arms whose recommender asked something.
        unread: Arm -> what is lost of the replies to its recommender about lists; only arms that lost any.
        lists: Arm -> what a language model made of the lists that it was asked for; only arms that asked one.
        cut_short: Arm, day and user of each session that was open when the run stopped; None where nobody wrote it down
            (a killed process cannot), empty where none was.
        changes: What became of the log since it was written; None for an unreadable one.
        answer: What `answer.json` tells; nothing for an unreadable run.
    """

    directory: Path
    status: str
    size_bytes: int
    problem: str | None
    facts: Mapping[str, Any]
    counts: Mapping[str, Counts]
    digest: str | None
    versions: Mapping[str, str]
    cut_short: Sequence[Mapping[str, Any]] | None = None
    lost: LostPages = field(default_factory=LostPages)
    afterthoughts: Mapping[str, LostAfterthoughts] = field(default_factory=dict)
    lessons: Mapping[str, Lessons] = field(default_factory=dict)
    unread: Mapping[str, LostReplies] = field(default_factory=dict)
    lists: Mapping[str, ModelLists] = field(default_factory=dict)
    changes: LogCheck | None = None
    answer: StoredAnswer = field(default_factory=StoredAnswer)

    @property
    def sessions(self) -> int:
        """Sessions in the log."""
        return sum(count.sessions for count in self.counts.values())


@dataclass(frozen=True, slots=True)
class Contrast:
    """Something that two runs do not share; None where a run has no such thing.

    Attributes:
        part: behaviour, config, data, versions or results.
        name: What of it, a key path or "arm: metric".
        first, second: What each run has.
        beyond_noise: Of results, whether they are further apart than two samples of agents are by chance; None where
            that cannot be told.
    """

    part: str
    name: str
    first: Any
    second: Any
    beyond_noise: bool | None = None


def find_runs(root: Path) -> Iterator[RunInfo]:
    """Every run directly under a directory, unreadable ones too, by name; of replicates, each one.

    Raises:
        RunDirectoryError: There is no such directory.
    """
    if not root.is_dir():
        raise RunDirectoryError(f"{root}: there is no such directory; name the one that holds your runs with --dir")
    for directory in sorted(root.iterdir()):
        cells = directory / CELLS
        try:
            there = sorted(cells.iterdir()) if cells.is_dir() else [directory]
            runs = [run for run in there if looks_like_a_run(run)]
        except OSError as fault:  # somebody else's, closed to us: the others are listed all the same
            yield _closed(directory, fault)
            continue
        yield from (look_at(run, FEW_ROWS) for run in runs)


def looks_like_a_run(directory: Path) -> bool:
    """Whether a directory holds a log, or at least the configuration that a run writes first."""
    return any((directory / name).is_file() for name in (LOG_NAME, ADDRESS_NAME, CONFIG_NAME))


def look_at(directory: Path, most_rows: int | None = SOME_ROWS) -> RunInfo:
    """As `read_run`, but a log that cannot be read is told and not raised."""
    try:
        return read_run(directory, most_rows)
    except RunDirectoryError as fault:
        return RunInfo(directory, UNREADABLE, _size(directory), str(fault), {}, {}, None, {})
    except OSError as fault:
        return _closed(directory, fault)


def _closed(directory: Path, fault: OSError) -> RunInfo:
    """What can be said of a directory that may not be read."""
    return RunInfo(
        directory, UNREADABLE, 0, f"{directory}: cannot be read ({fault.strerror or fault})", {}, {}, None, {}
    )


def read_run(directory: Path, most_rows: int | None = SOME_ROWS) -> RunInfo:
    """What a run is and how much it holds.

    Args:
        directory: The run's.
        most_rows: About how many rows are read to see whether the log is as it was written; all where it is None.

    Raises:
        RunDirectoryError: It is no run, or its log cannot be read.
    """
    with reading(directory), LogSource(directory, partial=True, most_rows=most_rows) as source:
        return RunInfo(
            directory=directory,
            status=source.run["status"],
            size_bytes=_size(directory) + store_at(directory).size_bytes(),
            problem=None,
            facts=source.run,
            counts=source.counts(),
            digest=source.digest,
            versions={**source.run["versions"], **_versions(source.manifest)},
            cut_short=_cut_short(directory, source.run["status"]),
            answer=read_answer(directory),
            lost=altogether(list(source.lost().values())),
            afterthoughts=source.lost_afterthoughts(),
            lessons=source.lessons(),
            unread=source.lost_replies(),
            lists=source.model_lists(),
            changes=source.changes,
        )


def _versions(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a manifest says of packages; nothing where it says that in no form of ours."""
    told = manifest.get("versions")
    return told if isinstance(told, dict) else {}


def _cut_short(directory: Path, status: str) -> list[dict[str, Any]] | None:
    if status == "done":
        return []
    try:
        content = json.loads(bounded_text(directory / STOPPED_NAME, regular=True))
        return [_session(each) for each in content["cut_short"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _session(told: Any) -> dict[str, Any]:
    """A session that was open; raises where it is written as no run writes it."""
    arm, day, user_id = (told[name] for name in ("arm", "day", "user_id"))
    if not isinstance(arm, str) or not isinstance(user_id, str) or type(day) is not int or not 0 <= day < _MOST_DAYS:
        raise ValueError("no session of ours")
    return {"arm": arm, "day": day, "user_id": user_id}


def diff_runs(first: Path, second: Path) -> list[Contrast]:
    """What two runs do not share: behaviour, configuration (seeds included), data, versions and mean results.

    It warns of a run that is not as it was written.

    Raises:
        RunDirectoryError: One of them is no run, or its log cannot be read.
    """
    runs = read_run(first), read_run(second)
    for run in runs:
        if run.changes is not None:
            warn_of_changes(run.changes, run.directory)
    one, other = _comparable(*runs)
    pairs: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
        ("behaviour", _behaviour(one), _behaviour(other)),
        ("config", dict(leaves(one.facts["config"])), dict(leaves(other.facts["config"]))),
        ("data", _data(one), _data(other)),
        ("versions", one.versions, other.versions),
    )
    found = [
        Contrast(part, without_keys_as_names(name), *(_without_keys(each.get(name)) for each in (before, after)))
        for part, before, after in pairs
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]
    return [*found, *_results(_estimates(first), _estimates(second))]


def _without_keys(value: Any) -> Any:
    """A value without keys: a configuration may come from a stranger, or from before they were refused there."""
    return without_keys(value) if isinstance(value, str) else value


def _results(before: Mapping[str, _Estimate], after: Mapping[str, _Estimate]) -> list[Contrast]:
    """Means that differ, and which of them by more than chance: Welch's t, Benjamini-Hochberg over all of them."""
    nothing = _Estimate(None, None)
    pairs = {name: (before.get(name, nothing), after.get(name, nothing)) for name in dict.fromkeys((*before, *after))}
    differing = {name: pair for name, pair in pairs.items() if pair[0].mean != pair[1].mean}
    tests = {name: test for name, pair in differing.items() if (test := _p_value(*pair)) is not None}
    adjusted = dict(zip(tests, benjamini_hochberg(list(tests.values())), strict=True))
    return [
        Contrast("results", name, one.mean, other.mean, bool(adjusted[name] < _NOISE) if name in adjusted else None)
        for name, (one, other) in differing.items()
    ]


def _p_value(one: _Estimate, other: _Estimate) -> float | None:
    """Of "two samples of agents differ by so much", near normal; None without standard errors or any spread."""
    if one.mean is None or other.mean is None or one.error is None or other.error is None:
        return None
    error = math.hypot(one.error, other.error)
    return math.erfc(abs(one.mean - other.mean) / error / math.sqrt(2)) if error else None


def check_deletable(directory: Path) -> RunInfo:
    """The run that `delete_run` would remove.

    Raises:
        RunDirectoryError: It is no run directory, or only a link to one.
    """
    if directory.is_symlink():
        raise RunDirectoryError(
            f"{directory}: a link, not a run directory; delete {os.path.realpath(directory)} itself"
        )
    if cells := sorted((directory / CELLS).glob("*/")) if (directory / CONFIG_NAME).is_file() else []:
        raise RunDirectoryError(
            f"{directory}: the runs of an experiment with variants; they are deleted one by one, such as {cells[0]}; "
            "nothing was deleted"
        )
    info = look_at(directory)
    logged = any((directory / name).is_file() for name in (LOG_NAME, ADDRESS_NAME))
    if info.status == UNREADABLE and not (logged and (directory / CONFIG_NAME).is_file()):
        near = "" if directory.exists() else did_you_mean(directory)
        raise RunDirectoryError(
            f"{directory}: not a run directory (it would hold {LOG_NAME} and {CONFIG_NAME}); nothing was deleted{near}"
        )
    return info


def delete_run(directory: Path) -> None:
    """Remove a run, its log on a server included, and everything in its directory.

    Raises:
        RunDirectoryError: It is no run directory, somebody is at work in it, or it cannot be removed.
    """
    check_deletable(directory)
    try:
        with locked(directory):
            store_at(directory).remove()
            shutil.rmtree(directory)
    except OSError as fault:
        raise RunDirectoryError(f"{directory}: cannot be removed whole ({fault.strerror}: {fault.filename})") from None


def _size(directory: Path) -> int:
    return sum(_bytes(path) for path in directory.rglob("*"))


def _bytes(path: Path) -> int:
    """Of a file; 0 of what is none, or has gone meanwhile: a run that goes writes and removes files all the time."""
    try:
        about = path.lstat()
    except OSError:
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0


def _behaviour(run: RunInfo) -> dict[str, Any]:
    changed = {"log": str(run.changes)} if run.changes is not None and run.changes.faults else {}
    return {"digest": run.digest, "status": run.status, "sessions": run.sessions, **changed}


def _comparable(one: RunInfo, other: RunInfo) -> tuple[RunInfo, RunInfo]:
    """Two runs with digests of one version: that of the earlier one, where they began with different ones."""
    if one.digest is None or other.digest is None or version_in(one.digest) == version_in(other.digest):
        return one, other
    earlier = min(version_in(one.digest), version_in(other.digest))
    return _with_digest(one, earlier), _with_digest(other, earlier)


def _with_digest(run: RunInfo, version: int) -> RunInfo:
    if run.digest is None or version_in(run.digest) == version:
        return run
    with reading(run.directory), LogReader(run.directory) as log:
        return replace(run, digest=log.digest(version))


def _data(run: RunInfo) -> dict[str, Any]:
    names = ("dataset", "dataset_hash", "dataset_source", "dataset_licence", "model_fingerprint")
    return {name: run.facts[name] for name in names}


@dataclass(frozen=True, slots=True)
class _Estimate:
    """A mean and its standard error; None where there is none."""

    mean: float | None
    error: float | None


def _estimates(directory: Path) -> dict[str, _Estimate]:
    """Means over agents by "arm: metric", measured from the log: its seals say whether it was changed."""
    from groundlings.experiments.analysis.metrics import summarise

    with reading(directory), LogReader(directory) as log:
        return {
            f"{arm.name}: {name}": _Estimate(estimate.mean, estimate.standard_error)
            for arm in summarise(log).arms
            for name, estimate in arm.metrics.items()
        }
