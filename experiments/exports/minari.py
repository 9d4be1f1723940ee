"""Episodes as a Minari data set in its Arrow layout: `<arm>/data`, a folder per episode.

The layout is that of Minari's Arrow storage: `metadata.json` with the spaces, and for each episode a folder of its
number with `metadata.json` and one Arrow file, whose last row holds the observation after the last step and no step.
What a step is says `episodes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from groundlings.experiments.exports import episodes
from groundlings.experiments.exports.episodes import OBSERVATION, Episodes, Steps
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import Arm, LogSource

_LAYOUT = "0.5.0"
"""The version of Minari whose layout this is; readers check it."""
_LARGEST = float(np.finfo(np.float32).max)


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    found = Episodes(source)
    sets = {arm.arm_id: _DataSet(directory / arm.folder / "data") for arm in source.arms}
    for arm, steps in found:
        sets[arm.arm_id].add(steps, found.user_ids)
    for arm in source.arms:
        sets[arm.arm_id].describe(arm, found, source.provenance())
    rows = {f"{arm.folder}/data": sets[arm.arm_id].steps for arm in source.arms}
    return Written(
        rows,
        (
            *episodes.notes(source),
            "`infos` holds `pscore` from the second row on, behind the first observation, whose own is NaN.",
            "Actions count in `item_ids` of the data set's metadata.",
        ),
    )


class _DataSet:
    """The data set of one arm, episode by episode."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.episodes, self.steps = directory, 0, 0
        directory.mkdir(parents=True)

    def add(self, steps: Steps, user_ids: list[str]) -> None:
        """Add whole sessions."""
        start = 0
        for number, end in enumerate(np.flatnonzero(steps.last) + 1):
            own = slice(start, int(end))
            folder = self.directory / str(self.episodes)
            folder.mkdir()
            batch = _episode(steps, own, steps.after[number], self.episodes)
            with pa.OSFile(str(folder / "part-0.arrow"), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
                writer.write_batch(batch)
            about = {
                "id": self.episodes,
                "total_steps": int(end) - start,
                "session_id": int(steps.sessions[start]),
                "user_id": user_ids[int(steps.users[start])],
                "synthetic": True,
            }
            _write_json(folder / "metadata.json", about)
            self.episodes += 1
            self.steps += int(end) - start
            start = int(end)

    def describe(self, arm: Arm, found: Episodes, provenance: Mapping[str, Any]) -> None:
        """Write what all episodes have in common."""
        name = re.sub(r"[^\w-]", "_", arm.name, flags=re.ASCII)
        observation = {
            "type": "Box",
            "dtype": "float32",
            "shape": [len(OBSERVATION)],
            "low": [0.0] * len(OBSERVATION),
            "high": [_LARGEST] * len(OBSERVATION),
        }
        action = {"type": "Discrete", "dtype": "int64", "start": 0, "n": len(found.items)}
        size = sum(path.stat().st_size for path in self.directory.rglob("*.arrow"))
        about = {
            "total_episodes": self.episodes,
            "total_steps": self.steps,
            "data_format": "arrow",
            "jpeg_encoding": False,
            "observation_space": json.dumps(observation),
            "action_space": json.dumps(action),
            "dataset_id": f"groundlings/{name}-v0",
            "minari_version": _LAYOUT,
            "dataset_size": round(size / 1_000_000, 1),
            "algorithm_name": arm.recommender,
            "description": "Synthetic: sessions of simulated people.",
            "observation_columns": list(OBSERVATION),
            "item_ids": [item.source_id for item in found.items],
            "synthetic": True,
            "groundlings": {**provenance, "arm": arm.name},
        }
        _write_json(self.directory / "metadata.json", about)


def _episode(steps: Steps, own: slice, after: NDArray[np.float32], number: int) -> pa.RecordBatch:
    """The steps of one session, and a row behind them for the observation after the last."""
    observations = np.vstack([steps.observations[own], after])
    width = observations.shape[1]
    pscore = pa.array(np.r_[np.nan, steps.pscores[own]])
    columns = {
        "observations": pa.FixedSizeListArray.from_arrays(
            observations.ravel(), type=pa.list_(pa.float32(), list_size=width)
        ),
        "actions": pa.array(np.r_[steps.actions[own], 0]),
        "rewards": pa.array(np.r_[steps.rewards[own], 0.0]),
        "terminations": pa.array(np.r_[steps.terminated[own], False]),
        "truncations": pa.array(np.r_[steps.truncated[own], False]),
        "infos": pa.StructArray.from_arrays([pscore], names=["pscore"]),
        "episode_id": pa.array(np.full(len(observations), number, dtype=np.int32)),
    }
    return pa.RecordBatch.from_pydict(columns)


def _write_json(path: Path, about: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(about, ensure_ascii=False, sort_keys=True), encoding="utf-8")
