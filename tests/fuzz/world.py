"""Where files are spoilt: a directory of its own, with the shipped files and an earlier run that nobody may harm."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import groundlings.experiments
import groundlings.experiments.analysis.report
from groundlings.experiments.analysis.report import pictures
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment

Work = Callable[[], str]
"""Opens the spoilt file by the public doors; returns a word for a good end, or raises."""

TOY = {"name": "toy", "toy": {"n_users": 24, "n_items": 40, "interactions_per_user": 10, "n_groups": 3}}

# Every table of the log gets rows: pages, calls, moods, memories, thoughts, interviews, one arm that explores.
EARLIER: dict[str, Any] = {
    "name": "quickstart",
    "seed": 7,
    "dataset": TOY,
    "population": {"size": 8},
    "simulation": {"days": 2, "concurrency": 2},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {
        "kind": "language",
        "reflection": {"every": 2},
        "interview": {"questions": ["What was missing?"]},
        "rotate_slots": True,
        "reasons": True,
        "model": {"provider": "scripted"},
    },
    "arms": [
        {"name": "popular", "recommender": "popular"},
        {
            "name": "explored",
            "recommender": "epsilon_slots",
            "options": {"of": {"recommender": "popular"}, "epsilon": 0.5},
        },
    ],
    "plan": {"primary": "likes_per_session"},
}


@dataclass(frozen=True)
class Campaign:
    """One kind of file.

    Attributes:
        name: Its name.
        total: How many are spoilt.
        spoil: From a number and its luck to the way of spoiling, and the work that follows.
    """

    name: str
    total: int
    spoil: Callable[[int, random.Random], tuple[str, Work]]


@contextmanager
def blank_pictures() -> Iterator[None]:
    """Reports have their files and words meanwhile, and nothing is drawn."""
    with ExitStack() as patched:
        for place, name, blank in (
            (pictures.Picture, "drawn", lambda _: []),
            (pictures.Picture, "inline", lambda picture, _: ["<svg></svg>" for _ in picture.panels]),
            (pictures, "ornaments", lambda _, names, *__: ["<svg></svg>" for _ in names]),
            (pictures, "sheet", lambda *_: b""),
        ):
            patched.enter_context(patch.object(place, name, blank))
        yield


class World:
    """The directory; it becomes the working directory, so that runs go to its `runs`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        os.chdir(root)
        shipped = Path(groundlings.experiments.__file__).parent / "configs"
        self.configs = Path(shutil.copytree(shipped, root / "configs"))
        self.write_report = groundlings.experiments.analysis.report.write_report
        config = ExperimentConfig.model_validate({**EARLIER, "base": self.configs})
        with blank_pictures():
            self.earlier = run_experiment(config).directory.resolve()
        self._whole = self._fingerprints()

    def harmed(self) -> str:
        """Names the files of the earlier run that are not as they were, "" where all are."""
        now = self._fingerprints()
        return ", ".join(sorted(name for name in {*now, *self._whole} if now.get(name) != self._whole.get(name)))

    def tidy(self) -> None:
        """Remove every run but the earlier one."""
        for directory in (self.root / "runs").iterdir():
            if directory.resolve() != self.earlier:
                shutil.rmtree(directory)

    def draw(self, wanted: bool) -> None:
        """Whether reports are drawn: that takes longer than all the rest, so only some are."""
        groundlings.experiments.analysis.report.write_report = self.write_report if wanted else lambda *_: None

    def _fingerprints(self) -> dict[str, str]:
        # SQLite writes into its shared memory who reads a log.
        files = [path for path in self.earlier.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
        return {str(path.relative_to(self.earlier)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
