"""What the training part of the data tells of the items of a run, as `background.json` beside its log holds it.

A log holds what was shown and done, not how popular an item was before, nor what a user had bought. Metrics of both
need it, also when a run is measured again where its data are not at hand. The file holds counts per item, and of the
histories no more than which purchases of the run were repeats.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, TypeAdapter, ValidationError

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.interactions import Interactions
from groundlings.experiments.archive.directory import BACKGROUND_NAME, read_manifest, write_text
from groundlings.simulator.log.reader import LogReader

BACKGROUND_HASH = "background_sha256"
"""The manifest's key for the SHA-256 of `background.json`; the log seals the manifest."""

MISSING = f"there is no {BACKGROUND_NAME} beside the log: it is written when a run is done, from this version on"

_Count = Annotated[int, Field(ge=0)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]

_TOLD = 6
"""Numbers in a row of `Background.told`."""

_NUMBERS = 128
_MOST_NUMBERS = 2_000_000
"""Of all items together: a larger catalog gets fewer numbers per item, 16 at least."""


@dataclass(frozen=True, slots=True)
class Background:
    """What lies in `background.json`; items in the order of the catalog, agents in that of the log.

    Attributes:
        users: Users with a training interaction, agents or not.
        item_users: How many of them had each item in the training part, one entry per item.
        item_interactions: Training interactions with each item, one entry per item.
        repeats: (agent, item) of the pairs that were bought in the run and that the user had in the training part,
            by their places.
        groups: Grouping of the experiment file's own tables -> the group of each item, None where it is unknown.
        vectors: Of a catalog without categories, numbers of each item whose products are near the cosines between the
            users who had the items in the training part, shape (n_items, n_numbers); empty where there are categories.
        told: Name of an arm -> what reached each agent by word of mouth, in rows of agent, day, and how much of it was
            told, shown, known and opened (`groundlings.experiments.labs.word_of_mouth.reached`); None where agents have
            no ties, or no metric asks for it.
    """

    users: _Count
    item_users: tuple[_Count, ...]
    item_interactions: tuple[_Count, ...]
    repeats: tuple[tuple[_Count, _Count], ...] = ()
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    vectors: tuple[tuple[_Finite, ...], ...] = ()
    told: Mapping[str, tuple[tuple[_Count, ...], ...]] | None = None

    @property
    def popularity(self) -> FloatArray:
        """Share of the users who had each item in the training part, shape (n_items,)."""
        return np.array(self.item_users, dtype=np.float64) / max(self.users, 1)

    @property
    def novelty(self) -> FloatArray:
        """Self-information of each item in bits, shape (n_items,); see `metrics.ranking.novelty`."""
        counts = np.array(self.item_users, dtype=np.float64)
        return np.asarray(-np.log2((counts + 1) / (self.users + 1)), dtype=np.float64)

    @property
    def thirds(self) -> IntArray:
        """Of each item 0, 1 or 2: the third of the catalog, by users who had it, that it is in, shape (n_items,).

        Items that equally many users had are in the order of the catalog.
        """
        ranks = np.argsort(np.argsort(np.array(self.item_users), kind="stable"), kind="stable")
        return np.asarray(ranks * 3 // max(len(ranks), 1), dtype=np.int64)


def measure_background(
    train: Interactions,
    users: IntArray,
    log: LogReader,
    groups: Mapping[str, tuple[str | None, ...]] | None = None,
    told: Mapping[str, tuple[tuple[int, ...], ...]] | None = None,
) -> Background:
    """What the training part tells of the items of a run.

    Args:
        train: The training part of everybody.
        users: Row numbers of the agents' users, in the order of the log, shape (n_agents,).
        log: The finished log.
        groups, told: As of `Background`.
    """
    bought = log.purchases()[["agent_id", "item_id"]].drop_duplicates()
    agents = np.searchsorted(np.array(log.agent_ids()), bought.agent_id.to_numpy(np.int64))
    items = np.searchsorted(np.array(log.item_numbers()), bought.item_id.to_numpy(np.int64))
    had = train.matrix
    known = np.asarray(had[users[agents], items]).ravel() > 0 if len(bought) else np.zeros(0, dtype=np.bool_)
    pairs = sorted(zip(agents[known].tolist(), items[known].tolist(), strict=True))
    return Background(
        users=int((np.diff(had.indptr) > 0).sum()),
        item_users=tuple(np.bincount(had.indices, minlength=train.n_items).tolist()),
        item_interactions=tuple(np.bincount(train.items, minlength=train.n_items).tolist()),
        repeats=tuple(pairs),
        groups=groups or {},
        vectors=() if any(item.genres for item in log.logged_items()) else _co_occurrence(had),
        told=told,
    )


def _co_occurrence(had: sp.csr_array) -> tuple[tuple[float, ...], ...]:
    """Few numbers per item, whose products are near the cosines between the items' users, as `Background.vectors`.

    The largest singular vectors (Eckart and Young 1936). On MovieLens-100K, 128 numbers give the mean cosine of the
    pairs of ten items to .007 for popular and for random items, and .011 too low on average for nearest neighbours.

    Args:
        had: Who had what, shape (n_users, n_items).
    """
    from scipy.sparse.linalg import svds

    n_items = had.shape[1]
    users = np.bincount(had.indices, minlength=n_items)
    unit = sp.csr_array(had @ sp.diags_array(1 / np.sqrt(np.maximum(users, 1))))
    numbers = int(np.clip(_MOST_NUMBERS // max(n_items, 1), 16, _NUMBERS))
    if min(unit.shape) <= numbers:
        _, sizes, axes = np.linalg.svd(unit.toarray(), full_matrices=False)
    else:
        _, sizes, axes = svds(unit, k=numbers, v0=np.ones(min(unit.shape)))
    return tuple(tuple(row) for row in (axes.T * sizes).round(4).tolist())


def write_background(directory: Path, found: Background) -> str:
    """Write the file of a run; its SHA-256, for the manifest.

    Raises:
        RunDirectoryError: The directory cannot be written.
    """
    content = json.dumps(asdict(found), separators=(",", ":")) + "\n"
    write_text(directory / BACKGROUND_NAME, content)
    return hashlib.sha256(content.encode()).hexdigest()


@functools.cache
def _reader() -> TypeAdapter[Background]:
    """Made once: that takes longer than reading a file."""
    return TypeAdapter(Background)


def read_background(log: LogReader) -> Background | None:
    """What lies beside a log, None where nothing does.

    Raises:
        RunDirectoryError: The file is damaged, is of other items or agents than the log's, or is not the one that the
            manifest speaks of.
    """
    path = None if log.directory is None else log.directory / BACKGROUND_NAME
    if path is None or not path.is_file():
        return None
    try:
        content = bounded_text(path)
        found = _reader().validate_json(content)
    except (OSError, ValueError, ValidationError, RecursionError) as fault:
        said = f"{fault.error_count()} values do not fit" if isinstance(fault, ValidationError) else str(fault)
        raise RunDirectoryError(f"{path}: cannot be read ({said}); {_mended(path)}") from None
    n_items, n_agents = len(log.item_numbers()), len(log.agent_ids())
    if not _fits(found, n_items, n_agents):
        raise RunDirectoryError(
            f"{path}: it tells of {len(found.item_users):,} items, or of agents that are not there; the log has "
            f"{n_items:,} items and {n_agents:,} agents; {_mended(path)}"
        )
    known = read_manifest(path.parent).get(BACKGROUND_HASH)
    if known is not None and known != hashlib.sha256(content.encode()).hexdigest():
        raise RunDirectoryError(f"{path}: it was changed after the run wrote it; {_mended(path)}")
    return found


def _fits(found: Background, n_items: int, n_agents: int) -> bool:
    columns = (found.item_users, found.item_interactions, *found.groups.values(), found.vectors or found.item_users)
    even = len({len(vector) for vector in found.vectors}) <= 1
    return (
        even
        and all(len(each) == n_items for each in columns)
        and all(agent < n_agents and item < n_items for agent, item in found.repeats)
        and all(len(row) == _TOLD and row[0] < n_agents for rows in (found.told or {}).values() for row in rows)
    )


def _mended(path: Path) -> str:
    return f"restore it from a copy, or write it anew with `groundlings run --resume {shlex.quote(str(path.parent))}`"
