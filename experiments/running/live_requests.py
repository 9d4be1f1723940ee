"""What somebody who watches a run asks it to change, a line each in `interventions.jsonl` of its directory.

    {"arms": ["als"], "withdraw": ["50", "172"]}        from the next day on
    {"day": 4, "recommender": "popular"}                from day 4 on, in every arm

A line says what an entry of `interventions` in an experiment file says; without `day`, from the next day on. A line
that cannot be followed is a note of the run and changes nothing.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ConfigError, RunDirectoryError, UserError, shown
from groundlings.environments.plugins import nearest
from groundlings.experiments.config.complaints import Key, checked, key_path
from groundlings.experiments.config.interventions import InterventionConfig, check_intervention
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import Note, Progress
from groundlings.experiments.running.interventions import check_change, lived_arms, of_arms
from groundlings.experiments.running.plan import Plan
from groundlings.recommenders.registry import RECOMMENDERS
from groundlings.simulator.interventions import Intervention, in_words

REQUESTS_NAME = "interventions.jsonl"

_MOST_BYTES = 2**20
_MOST_CHARACTERS = 20_000
_LIVE_KINDS = ("withdraw", "restore", "site", "recommender")


def read_request(line: str, config: ExperimentConfig, next_day: int) -> InterventionConfig:
    """As `read_request_of`, of a line of the file."""
    try:
        content: Any = json.loads(line[:_MOST_CHARACTERS])
    except (ValueError, RecursionError) as fault:
        raise ConfigError(f"this is no JSON ({fault})") from None
    if not isinstance(content, dict):
        raise ConfigError('found no JSON object; expected one such as {"withdraw": ["50"]}')
    return read_request_of(content, config, next_day)


def read_request_of(content: Mapping[str, Any], config: ExperimentConfig, next_day: int = 2) -> InterventionConfig:
    """What was asked for as an intervention.

    Args:
        content: As an entry of `interventions` in an experiment file, perhaps without `day`.
        config: Of the run.
        next_day: The next day that begins, 1 for the first; where it is not known, any but the first.

    Raises:
        ConfigError: It does not suit the experiment; whether items exist is not asked.
    """

    def worded(where: Sequence[Key], what: str) -> str:
        return ": ".join(filter(None, [key_path(where), what]))

    change = checked(InterventionConfig, {"day": next_day, **content}, worded)
    try:
        check_intervention(change, config, "request")
    except ValueError as fault:
        raise ConfigError(str(fault)) from None
    if change.kind not in _LIVE_KINDS:
        raise ConfigError(
            f"{change.kind}: only the experiment file can say this; {', '.join(_LIVE_KINDS)} can be asked for"
        )
    if change.recommender is not None:
        _check_name(change.recommender.recommender, bool(change.recommender.options))
    return change


def _check_name(name: str, has_options: bool) -> None:
    """Names alone may be asked for: a class of somebody's own would be code that runs here."""
    names = RECOMMENDERS.names()
    if name not in names:
        raise ConfigError(f"recommender: found {shown(name)}{nearest(name, names)}; expected one of {', '.join(names)}")
    if has_options:
        raise ConfigError("recommender.options: only the experiment file can say these; ask for the name alone")


def add_request(directory: Path, content: dict[str, Any]) -> None:
    """Ask the run in a directory for a change, on a line of its own; nothing is checked here.

    Raises:
        RunDirectoryError: The directory cannot be written.
    """
    path = directory / REQUESTS_NAME
    line = f"{json.dumps(content, ensure_ascii=False)}\n".encode()
    # A link of a stranger's by this name would have a file written where it leads, and a pipe would be waited for.
    without = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | without, 0o666), "r+b", 0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RunDirectoryError(f"{path}: found no plain file; take it away, and ask again")
            if _ends_within_a_line(file):
                line = b"\n" + line
            if file.write(line) != len(line):
                raise RunDirectoryError(f"{path}: cannot be written whole; free some space, and ask again")
    except OSError as fault:
        raise RunDirectoryError(f"{path}: cannot be written ({fault.strerror})") from None


def _ends_within_a_line(file: FileIO) -> bool:
    """Whether somebody wrote into it by hand, or a disk was full."""
    length = file.seek(0, os.SEEK_END)
    if not length:
        return False
    file.seek(length - 1)
    return file.read(1) != b"\n"


class LiveRequests:
    """The lines of a run's `interventions.jsonl`, each taken up once; see `simulator.interventions.Requests`.

    Args:
        directory: The run's.
        plan: Of the run.
        progress: Is told what is taken up, and what is not, and why.
    """

    def __init__(self, directory: Path, plan: Plan, progress: Progress) -> None:
        self._path, self._plan, self._progress = directory / REQUESTS_NAME, plan, progress
        self._read_before: list[str] = []
        self._problem = ""
        self._taken: dict[int, list[Intervention]] = {}

    def taken_up(self, logged: Sequence[Intervention]) -> None:
        """Say which lines an earlier start of the run has taken up: they are in its log."""
        self._taken = {}
        for each in logged:
            if each.origin == "live":
                self._taken.setdefault(each.place, []).append(each)

    @property
    def directory(self) -> Path:
        """The run's."""
        return self._path.parent

    @property
    def any(self) -> bool:
        """Whether anything was ever asked for."""
        return self._path.exists()

    def new(self, day: int, arms: Sequence[str]) -> list[Intervention]:
        """See `Requests.new`."""
        found: list[Intervention] = []
        for number, line in self._unread():
            try:
                changes = self._read(line, number, day, arms)
            except UserError as fault:
                self._progress.event(Note(f"{REQUESTS_NAME}, line {number}, changes nothing: {printable(str(fault))}"))
                continue
            found += changes
            for said in in_words(changes):
                self._progress.event(Note(said))
        return found

    def close(self) -> None:
        """After the last day: say which lines came too late."""
        for number, _ in self._unread():
            self._progress.event(Note(f"{REQUESTS_NAME}, line {number}, changes nothing: the last day had begun"))

    def _unread(self) -> list[tuple[int, str]]:
        """Whole lines that were not read before, with their numbers from 1."""
        if not self._path.exists():
            return []
        try:
            lines = bounded_text(self._path, _MOST_BYTES, regular=True).split("\n")[:-1]
        except (OSError, ValueError) as fault:
            problem = f"{REQUESTS_NAME} cannot be read ({fault}), so nothing in it is followed"
            if problem != self._problem:  # once, and not every day
                self._progress.event(Note(problem))
            self._problem = problem
            return []
        before, self._read_before = self._read_before, [*lines, *self._read_before[len(lines) :]]
        numbered = list(enumerate(lines, start=1))
        known, new = numbered[: len(before)], numbered[len(before) :]
        changed = [number for (number, line), was in zip(known, before, strict=False) if line != was]
        again = [(number, line) for number, line in new if number in self._taken]
        changed += [number for number, line in again if not self._says_what_is_logged(number, line)]
        for number in changed:
            why = "another line stood there when it was read; add a line behind the others"
            self._progress.event(Note(f"{REQUESTS_NAME}, line {number}, changes nothing: {why}"))
        return [(number, line) for number, line in new if line.strip() and number not in self._taken]

    def _says_what_is_logged(self, number: int, line: str) -> bool:
        """Whether a line is the one that an earlier start of the run took up."""
        logged = self._taken[number]
        try:
            change = read_request(line, self._plan.config, logged[0].day + 1)
        except UserError:
            return False
        asked = of_arms(change, self._plan.config, "live", number)
        return [(each.arm, each.day, each.detail) for each in asked] == [
            (each.arm, each.day, each.detail) for each in logged
        ]

    def _read(self, line: str, number: int, day: int, here: Sequence[str]) -> tuple[Intervention, ...]:
        config = self._plan.config
        change = read_request(line, config, day + 1)
        changes = of_arms(change, config, "live", number)
        arms, lived = [each.arm for each in changes], lived_arms(config)
        begun = lived.index(here[0])  # arms have their days one after the other, or all at once
        over = [arm for arm in arms if lived.index(arm) < begun]
        if over:
            raise ConfigError(
                f"arms: {', '.join(over)} had all of their days before; name some of {', '.join(lived[begun:])} alone"
            )
        if change.day - 1 < day and any(arm in here for arm in arms):
            raise ConfigError(f"day: found {change.day}, which has begun; the next one is {day + 1}")
        check_change(change, self._plan, "request")
        return changes
