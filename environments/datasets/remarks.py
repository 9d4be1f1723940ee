"""What to say of cells that are taken as they stand and that exports write where nothing is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundlings.environments.arrays import FloatArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.time_cells import END_REAL, FIRST_REAL
from groundlings.environments.datasets.times import Times
from groundlings.environments.errors import shown
from groundlings.environments.words import plural

DROP_OR_REMOVE = "make these cells empty and leave such rows out (own.on_problem: drop), or remove the rows"
MAKE_EMPTY = "make these cells empty"
REMOVE = "remove these rows"

_WORDS = r"^(nan|NaN|NAN|None|NULL|null|Null|NA|<NA>|N/A|n/a|#N/A|NaT|\\N|undefined)$"
"""An expression, since an array of words would import pandas."""
_SECONDS_A_DAY = 86_400
_DAYS = np.array(
    # The first and the last day that a database can hold, and days from which spreadsheets and systems count; the one
    # before 1970 is -1, and 0 of a clock that is ahead of UTC.
    ["0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1969-12-31", "1970-01-01", "9999-12-31"],
    dtype="datetime64[D]",
).astype(np.int64)


def remark_on_words(column: Column | None, key: str, advice: str) -> None:
    """Remark on cells that are words for nothing: they count as any other, since an item may be called so.

    Args:
        column: None of one that cannot be used.
        key: What names it in the configuration.
        advice: What to do where nothing is meant.
    """
    if column is None or not pa.types.is_string(column.distinct.type):
        return
    found = pc.match_substring_regex(column.distinct, _WORDS).to_numpy(zero_copy_only=False)
    if not found.any():
        return
    rows, words = np.flatnonzero(found[column.codes]), column.texts_at(np.flatnonzero(found))
    column.table.remark(
        int(rows[0]),
        f"column {column.name!r} ({key}) holds {column.cell(int(rows[0]))!r}, as exports write where nothing is known "
        f"({_rows(len(rows))} such a word: {', '.join(map(repr, words))}); it is taken as it stands; where nothing is "
        f"meant, {advice}",
    )


def remark_on_moments(column: Column, times: Times, key: str, advice: str) -> None:
    """Remark on moments that exports write for an unknown one, in a column that mostly holds moments of real data."""
    seconds = times.ticks // times.per_second
    real = (seconds >= FIRST_REAL) & (seconds < END_REAL)
    if 2 * np.count_nonzero(real) <= len(real) or real.all():
        return
    odd = ~real & np.isin(seconds // _SECONDS_A_DAY, _DAYS)
    if column.table.problems is not None:
        odd &= column.table.problems.usable(column.table)  # cells that were refused are no moments
    if not odd.any():
        return
    rows = np.flatnonzero(odd)
    first = int(rows[0])
    day = np.datetime64(int(seconds[first]), "s").astype("datetime64[D]")
    column.table.remark(
        first,
        f"column {column.name!r} ({key}) holds {shown(column.cell(first))}, which is {day}, as exports write where no "
        f"moment is known ({_rows(len(rows))} such a moment, and most others lie after 1970); it is taken as it "
        f"stands; where the moment is not known, {advice}",
    )


def remark_on_ratings(ratings: FloatArray, scale: RatingScale, key: str) -> tuple[str, ...]:
    """What to say of ratings that are all the same; nothing of others.

    Args:
        ratings: NaN where there is none.
        scale: That they are on.
        key: What names their column in the configuration.
    """
    given = ratings[~np.isnan(ratings)]
    if len(given) < 2 or (given != given[0]).any():
        return ()
    return (
        f"all {len(given):,} ratings ({key}) are {given[0]:g} on a scale of {scale.low:g} to {scale.high:g}, so that "
        f"everybody would {'like' if given[0] >= scale.like else 'dislike'} all that they met; if they only say who "
        f"met what (implicit feedback), leave `rating` out",
    )


def _rows(count: int) -> str:
    return f"{plural(count, 'row')} {'holds' if count == 1 else 'hold'}"
