"""Bandit feedback as the Open Bandit Pipeline takes it: one `<arm>/feedback.npz` of plain arrays, no pickles.

Keys of the pipeline: `n_rounds`, `n_actions`, `action`, `position`, `reward`, `pscore`, `context`, `action_context`
(Saito et al. 2021, "Open Bandit Dataset and Pipeline", section 3). A round is an item in a slot; `position` is the
slot of the page, and `pscore` is P(item | slot, what stood at the ranks before, request).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.exports.arrays import TRAITS, Columns, GrowingArrays, Rows, texts, traits_of
from groundlings.experiments.exports.columns import typed
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import KNOWN, LoggedItem, LogSource

CONTEXT = ("day", *TRAITS)
"""Columns of `context`: the day, and three measurements of the real person's training history."""

_POURED: Columns = {
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

_PLACES: Columns = {"place_row": (np.int64, ()), "place_slot": (np.int64, ())}
"""Where pages are more than one list."""
_NO_PLACE = -1
_LOGGED: Mapping[str, str] = {
    "item_number": "int", "position": "int", "clicked": "int", "pscore": "float", "day": "int", "rank": "int",
    "session_id": "int", "agent_id": "int", "rating": "float", "display_position": "int", "pscore_kind": "text",
}  # fmt: skip


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    items = source.items()
    people = [(agent.agent_id, agent.user_id, traits_of(agent)) for agent in source.agents()]
    traits = np.array([measured for _, _, measured in people]).reshape(len(people), len(TRAITS))
    fixed = _fixed(source, items, [user_id for _, user_id, _ in people])
    actions = Rows([(item.item_id, item.number) for item in items])
    users = Rows([(agent_id, row) for row, (agent_id, _, _) in enumerate(people)])
    known = {name: count.known for name, count in source.counts().items()}
    poured = {**_POURED, **(_PLACES if source.has_places else {})}
    logged = {**_LOGGED, **(dict.fromkeys(_PLACES, "int") if source.has_places else {})}
    kinds: dict[str, set[str]] = {}
    with ExitStack() as stack:
        rounds = {
            arm.arm_id: stack.enter_context(
                GrowingArrays(directory / arm.folder / "feedback.npz", known[arm.name], poured)
            )
            for arm in source.arms
        }
        for arm, chunk in source.impression_columns(typed(logged), KNOWN):
            rounds[arm.arm_id].pour(_arrays(chunk, actions, users, traits))
            kinds.setdefault(arm.name, set()).update(chunk["pscore_kind"].unique().to_pylist())
        for arm in source.arms:
            about = {**source.provenance(), "arm": arm.name, "pscore_kind": sorted(kinds.get(arm.name, ()))}
            rounds[arm.arm_id].zip(
                {
                    **fixed,
                    "n_rounds": np.array(known[arm.name]),
                    "provenance": np.array(json.dumps(about, ensure_ascii=False)),
                }
            )
    return Written({f"{arm.folder}/feedback.npz": known[arm.name] for arm in source.arms}, _notes(source, kinds))


def _arrays(chunk: pa.Table, actions: Rows, users: Rows, traits: FloatArray) -> dict[str, np.ndarray[Any, Any]]:
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
        "action_context_columns": texts(genres, "category", "open_bandit"),
        "context_columns": np.array(CONTEXT),
        "item_ids": texts([item.source_id for item in items], "item's id", "open_bandit"),
        "user_ids": texts(user_ids, "user's id", "open_bandit"),
        "synthetic": np.array(True),
    }


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
