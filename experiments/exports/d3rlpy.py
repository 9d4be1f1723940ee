"""Episodes as the arrays that d3rlpy's `MDPDataset` is made of: one `<arm>/mdp.npz`, no pickles.

Keys of d3rlpy (Seno and Imai 2022, "d3rlpy: An offline deep reinforcement learning library"): `observations`,
`actions`, `rewards`, `terminals`, `timeouts`. What a step is says `episodes`.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from groundlings.experiments.exports import episodes
from groundlings.experiments.exports.arrays import Columns, GrowingArrays, texts
from groundlings.experiments.exports.episodes import OBSERVATION, Episodes
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import LogSource

_COLUMNS: Columns = {
    "observations": (np.float32, (len(OBSERVATION),)),
    "actions": (np.int64, (1,)),
    "rewards": (np.float32, (1,)),
    "terminals": (np.float32, ()),
    "timeouts": (np.float32, ()),
    "pscore": (np.float64, ()),
    "session_id": (np.int64, ()),
    "user": (np.int64, ()),
}


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    found = Episodes(source)
    known = {name: count.known for name, count in source.counts().items()}
    fixed = {
        "observation_columns": np.array(OBSERVATION),
        "action_size": np.array(len(found.items)),
        "item_ids": texts([item.source_id for item in found.items], "item's id", "d3rlpy"),
        "user_ids": texts(found.user_ids, "user's id", "d3rlpy"),
        "synthetic": np.array(True),
    }
    with ExitStack() as stack:
        files = {
            arm.arm_id: stack.enter_context(
                GrowingArrays(directory / arm.folder / "mdp.npz", known[arm.name], _COLUMNS)
            )
            for arm in source.arms
        }
        for arm, steps in found:
            files[arm.arm_id].pour(
                {
                    "observations": steps.observations,
                    "actions": steps.actions[:, None],
                    "rewards": steps.rewards[:, None],
                    "terminals": steps.terminated,
                    "timeouts": steps.truncated,
                    "pscore": steps.pscores,
                    "session_id": steps.sessions,
                    "user": steps.users,
                }
            )
        for arm in source.arms:
            about = {**source.provenance(), "arm": arm.name}
            files[arm.arm_id].zip({**fixed, "provenance": np.array(json.dumps(about, ensure_ascii=False))})
    rows = {f"{arm.folder}/mdp.npz": known[arm.name] for arm in source.arms}
    return Written(rows, (*episodes.notes(source), "`actions` count in `item_ids`, `user` in `user_ids`."))
