"""Bandit feedback as the Open Bandit Pipeline takes it: one `<arm>/feedback.npz` of plain arrays, no pickles.

Keys of the pipeline: `n_rounds`, `n_actions`, `action`, `position`, `reward`, `pscore`, `context`, `action_context`
(Saito et al. 2021, "Open Bandit Dataset and Pipeline", section 3). A round is an item in a slot; `position` is the
slot of the page, and `pscore` is P(item | slot, what stood at the ranks before, request).

The arrays are poured into their files chunk by chunk and zipped at the end, because `numpy.savez` would want them
whole.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.memory import available_memory, spelt
from groundlings.experiments.exports.columns import typed
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import KNOWN, Agent, LoggedItem, LogSource

CONTEXT = ("day", "history_length", "activity", "diversity")
"""Columns of `context`: the day, and three measurements of the real person's training history."""

_POURED: Mapping[str, tuple[type, tuple[int, ...]]] = {
    "action": (np.int64, ()),
    "position": (np.int64, ()),
    "reward": (np.float64, ()),
    "pscore": (np.float64, ()),
    "context": (np.float64, (len(CONTEXT),)),
    "rank": (np.int64, ()),
    "display_position": (np.int64, ()),
    "session_id": (np.int64, ()),
    "user": (np.int64, ()),
    "rating": (np.float64, ()),
}

_PLACES: Mapping[str, tuple[type, tuple[int, ...]]] = {"place_row": (np.int64, ()), "place_slot": (np.int64, ())}
"""Where pages are more than one list."""
_NO_PLACE = -1
_LOGGED: Mapping[str, str] = {
    "item_number": "int", "position": "int", "clicked": "int", "pscore": "float", "day": "int", "rank": "int",
    "session_id": "int", "agent_id": "int", "rating": "float", "display_position": "int", "pscore_kind": "text",
}  # fmt: skip


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    items = source.items()
    people = [(agent.agent_id, agent.user_id, _traits(agent)) for agent in source.agents()]
    traits = np.array([measured for _, _, measured in people]).reshape(len(people), len(CONTEXT) - 1)
    fixed = _fixed(source, items, [user_id for _, user_id, _ in people])
    actions = _Rows([(item.item_id, item.number) for item in items])
    users = _Rows([(agent_id, row) for row, (agent_id, _, _) in enumerate(people)])
    known = {name: count.known for name, count in source.counts().items()}
    poured = {**_POURED, **(_PLACES if source.has_places else {})}
    logged = {**_LOGGED, **(dict.fromkeys(_PLACES, "int") if source.has_places else {})}
    kinds: dict[str, set[str]] = {}
    with ExitStack() as stack:
        rounds = {
            arm.arm_id: stack.enter_context(_Rounds(directory / arm.folder, known[arm.name], poured))
            for arm in source.arms
        }
        for arm, chunk in source.impression_columns(typed(logged), KNOWN):
            rounds[arm.arm_id].pour(_arrays(chunk, actions, users, traits))
            kinds.setdefault(arm.name, set()).update(chunk["pscore_kind"].unique().to_pylist())
        for arm in source.arms:
            about = {**source.provenance(), "arm": arm.name, "pscore_kind": sorted(kinds.get(arm.name, ()))}
            rounds[arm.arm_id].zip({**fixed, "provenance": np.array(json.dumps(about, ensure_ascii=False))})
    return Written({f"{arm.folder}/feedback.npz": known[arm.name] for arm in source.arms}, _notes(source, kinds))


_WRITTEN_AT = 10 * 365 * 86_400 + 30 * 86_400
"""In January 1980, the first that an archive can say of its members: the same rounds give the same bytes."""


class _Rounds:
    """The growing arrays of an arm, a `.npy` file each; use it as a context manager."""

    def __init__(self, directory: Path, n_rounds: int, poured: Mapping[str, tuple[type, tuple[int, ...]]]) -> None:
        self._directory, self._n_rounds, self._poured = directory, n_rounds, 0
        self._columns = poured
        directory.mkdir(parents=True)
        self._files = {name: (directory / f"{name}.npy").open("wb") for name in poured}
        for name, (kind, width) in poured.items():
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": (n_rounds, *width)}
            np.lib.format.write_array_header_1_0(self._files[name], header)

    def __enter__(self) -> _Rounds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def pour(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Add rounds."""
        for name, (kind, _) in self._columns.items():
            self._files[name].write(np.ascontiguousarray(arrays[name], dtype=kind).tobytes())
        self._poured += len(arrays["action"])

    def zip(self, fixed: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put the arrays, and others that are small, into one `.npz`."""
        if self._poured != self._n_rounds:
            raise RuntimeError(f"{self._n_rounds} rounds were counted, {self._poured} were read: the log changed")
        with zipfile.ZipFile(self._directory / "feedback.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in {**fixed, "n_rounds": np.array(self._n_rounds)}.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            for name, file in self._files.items():
                file.close()
                path = self._directory / f"{name}.npy"
                os.utime(path, (_WRITTEN_AT, _WRITTEN_AT))
                archive.write(path, path.name)
                path.unlink()


class _Rows:
    """Where things of a log stand in the arrays, by the log's numbers."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        found = np.array(sorted(pairs), dtype=np.int64).reshape(len(pairs), 2)
        self._numbers, self._rows = found[:, 0], found[:, 1]

    def of(self, numbers: IntArray) -> IntArray:
        """The row of each number; all of them are known."""
        return self._rows[np.searchsorted(self._numbers, numbers)]


def _arrays(chunk: pa.Table, actions: _Rows, users: _Rows, traits: FloatArray) -> dict[str, np.ndarray[Any, Any]]:
    user = users.of(chunk["agent_id"].to_numpy())
    same = ("position", "pscore", "rank", "display_position", "session_id", "rating")  # NULL becomes NaN in `rating`
    return {
        "action": actions.of(chunk["item_number"].to_numpy()),
        "reward": chunk["clicked"].to_numpy().astype(np.float64),
        "context": np.column_stack([chunk["day"].to_numpy().astype(np.float64), traits[user]]),
        "user": user,
        **{name: chunk[name].to_numpy() for name in same},
        **{name: chunk[name].fill_null(_NO_PLACE).to_numpy() for name in _PLACES if name in chunk.column_names},
    }


def _traits(agent: Agent) -> tuple[float, float, float]:
    traits = agent.persona["traits"]
    return agent.persona["history_length"], traits["activity"]["value"], traits["diversity"]["value"]


def _fixed(source: LogSource, items: Sequence[LoggedItem], user_ids: Sequence[str]) -> dict[str, Any]:
    genres = sorted({genre for item in items for genre in item.genres})
    column = {genre: place for place, genre in enumerate(genres)}
    belongs = np.zeros((len(items), len(genres)))
    for row, item in enumerate(items):
        belongs[row, [column[genre] for genre in item.genres]] = 1.0
    return {
        "n_actions": np.array(len(items)),
        "len_list": np.array(source.run["page_size"]),
        "action_context": belongs,
        "action_context_columns": _texts(genres, "category"),
        "context_columns": np.array(CONTEXT),
        "item_ids": _texts([item.source_id for item in items], "item's id"),
        "user_ids": _texts(user_ids, "user's id"),
        "synthetic": np.array(True),
    }


def _texts(cells: Sequence[str], what: str) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Texts as NumPy has them, each in as much room as the longest takes; `DataError` where that is too much."""
    longest = max(map(len, cells), default=0)
    needed, there = len(cells) * longest * np.dtype("U1").itemsize, available_memory()
    if there.bytes is not None and needed > there.bytes:
        raise DataError(
            f"--format open_bandit: a {what} has {longest:,} characters, and arrays of text give as much room to each "
            f"of the {len(cells):,}, which takes {spelt(needed)}, and {spelt(there.bytes)} are left ({there.limit}); "
            "shorten it, or choose another format"
        )
    return np.array(cells, dtype=np.str_)


def _notes(source: LogSource, kinds: Mapping[str, set[str]]) -> tuple[str, ...]:
    notes = [
        "`action` counts in `item_ids`, `user` in `user_ids`; `position` is the slot in a page, `rank` in a session.",
        "`context` is measured on real histories; what a simulated person did before in this run is not in it.",
        "`rating` is NaN where none was given.",
        "`display_position` is where the person saw the slot; it is `position` unless slots were rotated.",
    ]
    if source.has_places:
        notes.append(
            "`place_row` is the row of the page and `place_slot` the slot in that row, both from 0; -1 on a page of "
            "one list."
        )
    fixed = [arm.name for arm in source.arms if kinds.get(arm.name) == {"deterministic"}]
    if fixed:
        notes.append(
            f"No chance was involved in {', '.join(fixed)}: every pscore is 1, and the log says nothing of items that "
            "another policy would show. Wrap the recommender in `epsilon_slots` or `plackett_luce` to estimate those."
        )
    return tuple(notes)
