"""The formats by name: shipped ones, plug-ins, and your own `module:Class`, and what each does with the unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.plugins import ExtensionPoint

if TYPE_CHECKING:
    from groundlings.experiments.exports.source import LogSource


@dataclass(frozen=True, slots=True)
class Written:
    """What a format wrote.

    Attributes:
        rows: File, relative to the export, -> rows in it (without its header).
        notes: What a reader of these files must know beyond the format's own words.
    """

    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is known of a log before it is simulated.

    Attributes:
        items, users: The data set's ids of the catalogue and of the agents.
        actions: What can be done in the environment.
    """

    items: Sequence[str]
    users: Sequence[str]
    actions: Sequence[str]


class ExportFormat(Protocol):
    """A format of your own; its class is built without arguments.

        class ClickList:
            description = "One line per click"
            rows = "a click"
            unknown = "an unknown page has no clicks, so it has no rows"
            mark = "a column `synthetic`"

            def write(self, source, directory):
                columns = ("user_id", "item_id", "timestamp")
                with ArmTables(directory, source.arms, "clicks.csv", ",", (*columns, "synthetic")) as tables:
                    for arm, rows in source.impressions(columns, OPENED):
                        tables.write(arm, ((*row, 1) for row in rows))
                return Written(tables.rows)

        groundlings export RUN --format my_formats:ClickList --out DIR

    `groundlings.experiments.exports.contract.ExportContract` checks what a format has to keep.

    Attributes:
        description: One line.
        rows: What one row stands for.
        unknown: What happens to outcomes that nobody knows, because the page is lost.
        mark: How its files say that they are synthetic.
    """

    description: str
    rows: str
    unknown: str
    mark: str

    def write(self, source: LogSource, directory: Path) -> Written:
        """Write one run into an empty directory, reading the log in chunks; equal runs give equal files.

        Raises:
            DataError: The log holds something that the format cannot carry.
        """
        ...


class Writer(Protocol):
    """What writes: a shipped format's module `groundlings.experiments.exports.NAME` has one as its `write`."""

    def __call__(self, source: LogSource, directory: Path) -> Written:
        """See `ExportFormat.write`."""


_ABOUT = ("description", "rows", "unknown", "mark")


@dataclass(frozen=True, slots=True)
class Format:
    """One format, before anything is written.

    Attributes:
        name: As on the command line; of a shipped one also the name of its module.
        description: One line.
        rows: What one row stands for.
        unknown: What happens to outcomes that nobody knows, because the page is lost.
        mark: How its files say that they are synthetic.
        writer: What writes it; None of a shipped one, whose module is imported when it is needed.
    """

    name: str
    description: str
    rows: str
    unknown: str
    mark: str
    writer: Writer | None = None

    def check(self, ahead: Ahead) -> None:
        """Return where nothing that is known of a log to come keeps the format from carrying it.

        Shipped formats that cannot carry every log have a function `check` beside their `write`.

        Raises:
            DataError: It could not carry the log.
        """
        if self.writer is None:
            check = getattr(import_module(f"groundlings.experiments.exports.{self.name}"), "check", None)
            if check is not None:
                check(ahead)

    def write(self, source: LogSource, directory: Path) -> Written:
        """Write a run into an empty directory.

        Raises:
            ConfigError: A format of one's own did not write what it says.
            DataError: The log holds something that the format cannot carry.
        """
        if self.writer is None:
            writer: Writer = import_module(f"groundlings.experiments.exports.{self.name}").write
            return writer(source, directory)
        written = self.writer(source, directory)
        if not isinstance(written, Written):
            raise ConfigError(f"--format: {self.name} returned a {type(written).__name__}; expected a Written")
        notes: Any = written.notes
        if not isinstance(notes, tuple | list) or not all(isinstance(note, str) for note in notes):
            raise ConfigError(f"--format: {self.name} gives the notes {shown(notes)}; expected a tuple of texts")
        absent = [file for file in written.rows if not (directory / file).exists()]
        if absent:
            raise ConfigError(f"--format: {self.name} says that it wrote {', '.join(absent)}, and did not")
        return written

    def facts(self) -> dict[str, str]:
        """What a datasheet says of it."""
        return {name: getattr(self, name) for name in ("name", *_ABOUT)}


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Format(
                "parquet",
                "The whole log as Parquet tables, partitioned by arm",
                "as in the log: an impression, a session, an event, a call, a mood, a memory, an answer",
                "NULL in `clicked`, as in the log; no row is left out",
                "a column `synthetic`, and `synthetic` and `groundlings` in the metadata of every file",
            ),
            Format(
                "movielens",
                "MovieLens CSV: userId,movieId,rating,timestamp",
                "a rating that was given",
                "an unknown page has no ratings, so it has no rows; opened items without stars have none either",
                "the datasheet alone: the format has no place for a mark, so keep the two together; users carry "
                "agent numbers, not the ids of the real people",
            ),
            Format(
                "recbole",
                "RecBole atomic files (.inter, .user, .item)",
                "`clicks`: an opened item; `impressions`: an item shown, with the label 1 (opened) or 0",
                "left out of both data sets; they are not labelled 0",
                "a column `synthetic:float` in every file",
            ),
            Format(
                "lenskit",
                "Parquet with user_id, item_id, rating, timestamp, for LensKit, Polars and pandas",
                "an opened item; its rating is NULL where no stars were given",
                "an unknown page has no opened items, so it has no rows",
                "a column `synthetic`, and `synthetic` and `groundlings` in the metadata of every file",
            ),
            Format(
                "open_bandit",
                "Open Bandit Pipeline feedback (.npz) with pscore, for off-policy evaluation",
                "a round: an item in a slot, opened (reward 1) or not (reward 0)",
                "left out; they are no rounds with reward 0",
                "the arrays `synthetic` (true) and `provenance` (JSON) in every file",
            ),
            Format(
                "d3rlpy",
                "Episodes for offline reinforcement learning with d3rlpy (.npz), with pscore",
                "a step: an item in a slot, opened (reward 1) or not (reward 0); a session is an episode",
                "left out; they are no steps with reward 0, and their session is truncated",
                "the arrays `synthetic` (true) and `provenance` (JSON) in every file",
            ),
            Format(
                "minari",
                "Minari data sets (Arrow) for offline reinforcement learning, with pscore",
                "a step: an item in a slot, opened (reward 1) or not (reward 0); a session is an episode",
                "left out; they are no steps with reward 0, and their session is truncated",
                "`synthetic` (true) in the metadata of every data set and episode",
            ),
            Format(
                "trec",
                "TREC qrels and run: what was ranked, and how it was received",
                "qrels: a judged item of a session, 0 = shown, 1 = opened, 2 = liked; run: an item shown in a session",
                "left out of qrels and run (they are the last page of their session, so the ranks before them stand)",
                "the topic ids begin with `sim-`, and the run tag with `synthetic-`",
            ),
            Format(
                "mind",
                "MIND behaviors.tsv and news.tsv: impressions with the clicks before them",
                "a page of a session",
                "the whole page is left out; its items are not marked -0",
                "user ids begin with `sim-`",
            ),
        )
    }
)


EXPORT_FORMATS = ExtensionPoint(
    "format",
    "groundlings.exports",
    {name: f"groundlings.experiments.exports.{name}:write" for name in FORMATS},
)


def find_format(name: str) -> Format:
    """The format of a shipped name, of a plug-in's name, or of `module:Class`.

    Raises:
        ConfigError: There is none, or it is no format; the message names the nearest.
    """
    at = "--format"
    if name in FORMATS:
        EXPORT_FORMATS.check_name(name, at=at)
        return FORMATS[name]
    found: Any = EXPORT_FORMATS.load(name, at=at)
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise ConfigError(f"{at}: {name} cannot be built without arguments: {error}") from error
    missing = [each for each in (*_ABOUT, "write") if not hasattr(found, each)]
    if missing:
        raise ConfigError(
            f"{at}: {name} is not a format: it lacks {', '.join(missing)} "
            "(see groundlings.experiments.exports.registry.ExportFormat)"
        )
    return format_of(name, found)


def format_of(name: str, found: ExportFormat) -> Format:
    """A format of one's own under a name.

    Raises:
        ConfigError: It does not say what it is; an export must tell strangers.
    """
    silent = [each for each in _ABOUT if not str(getattr(found, each)).strip()]
    if silent:
        raise ConfigError(f"--format: {name} says nothing under {', '.join(silent)}; the datasheet needs it")
    return Format(name, found.description, found.rows, found.unknown, found.mark, found.write)


def available_formats() -> dict[str, Format]:
    """Every name that `--format` takes; a plug-in that cannot be used says so in its description."""
    formats = dict(FORMATS)
    for name in EXPORT_FORMATS.names():
        if name in FORMATS:
            continue
        try:
            formats[name] = find_format(name)
        except ConfigError as error:
            formats[name] = Format(name, f"cannot be used: {error}", "", "", "")
    return formats
