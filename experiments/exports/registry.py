"""The formats by name, what each is for, and what each does with what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from groundlings.environments.errors import ConfigError

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


class Writer(Protocol):
    """Every format is a module `groundlings.experiments.exports.NAME` with a function `write` of this kind."""

    def __call__(self, source: LogSource, directory: Path) -> Written:
        """Write one run into an empty directory, reading the log in chunks."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format, before anything is written.

    Attributes:
        name: As on the command line; also the name of its module.
        description: One line.
        rows: What one row stands for.
        unknown: What happens to outcomes that nobody knows, because the reply for the page was unreadable.
        mark: How its files say that they are synthetic.
    """

    name: str
    description: str
    rows: str
    unknown: str
    mark: str

    def write(self, source: LogSource, directory: Path) -> Written:
        """Write a run into an empty directory."""
        writer: Writer = import_module(f"groundlings.experiments.exports.{self.name}").write
        return writer(source, directory)


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
                "trec",
                "TREC qrels and run: what was ranked, and how it was received",
                "qrels: a judged item of a visit, 0 = shown, 1 = opened, 2 = liked; run: an item shown in a visit",
                "left out of qrels and run (they are the last page of their visit, so the ranks before them stand)",
                "the topic ids begin with `sim-`, and the run tag with `synthetic-`",
            ),
            Format(
                "mind",
                "MIND behaviors.tsv and news.tsv: impressions with the clicks before them",
                "a page of a visit",
                "the whole page is left out; its items are not marked -0",
                "user ids begin with `sim-`",
            ),
        )
    }
)


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        ConfigError: There is none; the message names the nearest.
    """
    if name in FORMATS:
        return FORMATS[name]
    near = get_close_matches(name.lower().replace("-", "_"), FORMATS, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"--format: found {name!r}, expected one of {', '.join(FORMATS)}{hint}")
