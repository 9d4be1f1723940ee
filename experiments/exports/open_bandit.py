"""Bandit feedback as the Open Bandit Pipeline takes it: one `<arm>/feedback.npz` of plain arrays, no pickles.

Keys of the pipeline: `n_rounds`, `n_actions`, `action`, `position`, `reward`, `pscore`, `context`, `action_context`
(Saito et al. 2021, "Open Bandit Dataset and Pipeline", section 3). A round is an item in a slot; `position` is the
slot of the page, and `pscore` is P(item | slot, what stood at the ranks before, request).

The arrays are poured into their files chunk by chunk and zipped at the end, because `numpy.savez` would want them
whole.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import KNOWN, Agent, Arm, LoggedItem, LogSource, Row

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


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    items = source.items()
    people = [(agent.agent_id, agent.user_id, _traits(agent)) for agent in source.agents()]
    traits = np.array([measured for _, _, measured in people]).reshape(len(people), len(CONTEXT) - 1)
    fixed = _fixed(source, items, [user_id for _, user_id, _ in people])
    actions = {item.item_id: item.number for item in items}
    rows_of = {agent_id: row for row, (agent_id, _, _) in enumerate(people)}
    known = {name: count.known for name, count in source.counts().items()}
    columns = ("item_number", "position", "clicked", "pscore", "day", "rank", "session_id", "agent_id", "rating",
               "display_position")  # fmt: skip
    kinds: dict[str, set[str]] = {}
    with ExitStack() as stack:
        rounds = {
            arm.arm_id: stack.enter_context(_Rounds(directory / arm.folder, known[arm.name])) for arm in source.arms
        }
        for arm, chunk in source.impressions((*columns, "pscore_kind"), KNOWN):
            rounds[arm.arm_id].pour(_arrays(chunk, actions, rows_of, traits))
            kinds.setdefault(arm.name, set()).update(row[-1] for row in chunk)
        for arm in source.arms:
            about = {**source.provenance(), "arm": arm.name, "pscore_kind": sorted(kinds.get(arm.name, ()))}
            rounds[arm.arm_id].zip({**fixed, "provenance": np.array(json.dumps(about, ensure_ascii=False))})
    return Written({f"{arm.folder}/feedback.npz": known[arm.name] for arm in source.arms}, _notes(source.arms, kinds))


class _Rounds:
    """The growing arrays of an arm, a `.npy` file each; use it as a context manager."""

    def __init__(self, directory: Path, n_rounds: int) -> None:
        self._directory, self._n_rounds, self._poured = directory, n_rounds, 0
        directory.mkdir(parents=True)
        self._files = {name: (directory / f"{name}.npy").open("wb") for name in _POURED}
        for name, (kind, width) in _POURED.items():
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
        for name, (kind, _) in _POURED.items():
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
                archive.write(path, path.name)
                path.unlink()


def _arrays(
    chunk: Sequence[Row], actions: Mapping[int, int], rows_of: Mapping[int, int], traits: FloatArray
) -> dict[str, np.ndarray[Any, Any]]:
    item, position, clicked, pscore, day, rank, session, agent, rating, displayed, _ = zip(*chunk, strict=True)
    user = np.array([rows_of[who] for who in agent])
    return {
        "action": np.array([actions[one] for one in item]),
        "position": np.array(position),
        "reward": np.array(clicked, dtype=np.float64),
        "pscore": np.array(pscore),
        "context": np.column_stack([np.array(day, dtype=np.float64), traits[user]]),
        "rank": np.array(rank),
        "display_position": np.array(displayed),
        "session_id": np.array(session),
        "user": user,
        "rating": np.array(rating, dtype=np.float64),  # None becomes NaN
    }


def _traits(agent: Agent) -> tuple[float, float, float]:
    traits = agent.persona["traits"]
    return agent.persona["history_length"], traits["activity"]["value"], traits["diversity"]["value"]


def _fixed(source: LogSource, items: Sequence[LoggedItem], user_ids: Sequence[str]) -> dict[str, Any]:
    genres = sorted({genre for item in items for genre in item.genres})
    belongs = np.array([[genre in item.genres for genre in genres] for item in items], dtype=np.float64)
    return {
        "n_actions": np.array(len(items)),
        "len_list": np.array(source.run["page_size"]),
        "action_context": belongs.reshape(len(items), len(genres)),
        "action_context_columns": np.array(genres, dtype=np.str_),
        "context_columns": np.array(CONTEXT),
        "item_ids": np.array([item.source_id for item in items]),
        "user_ids": np.array(user_ids),
        "synthetic": np.array(True),
    }


def _notes(arms: Sequence[Arm], kinds: Mapping[str, set[str]]) -> tuple[str, ...]:
    notes = [
        "`action` counts in `item_ids`, `user` in `user_ids`; `position` is the slot in a page, `rank` in a session.",
        "`context` is measured on real histories; what a simulated person did before in this run is not in it.",
        "`rating` is NaN where none was given.",
        "`display_position` is where the person saw the slot; it is `position` unless slots were rotated.",
    ]
    fixed = [arm.name for arm in arms if kinds.get(arm.name) == {"deterministic"}]
    if fixed:
        notes.append(
            f"No chance was involved in {', '.join(fixed)}: every pscore is 1, and the log says nothing of items that "
            "another policy would show. Wrap the recommender in `epsilon_slots` or `plackett_luce` to estimate those."
        )
    return tuple(notes)
