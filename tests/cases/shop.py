"""A small shop of one's own data, as the cases of this folder load and spoil it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.errors import DataError

ITEMS = 12
INTERACTIONS = {"path": "inter.csv", "user": "user", "item": "item", "rating": "rating", "timestamp": "ts"}


class Shop:
    """A directory with a table of items and one of interactions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items({"item": [f"i{n}" for n in range(ITEMS)], "title": [f"Title {n}" for n in range(ITEMS)]})

    def items(self, columns, name: str = "items.csv", **how) -> None:
        self._write(pd.DataFrame(columns), name, **how)

    def met(self, rows, name: str = "inter.csv", **how) -> None:
        """Rows of (user, item, time), or of (user, item, time, rating)."""
        frame = pd.DataFrame([(*row, 4)[:4] for row in rows], columns=["user", "item", "ts", "rating"])
        self._write(frame, name, **how)

    def times(self, cells, name: str = "inter.csv") -> None:
        """One user meets one item after the other at these times."""
        self.met([("u", f"i{number}", cell) for number, cell in enumerate(cells)], name)

    def load(self, **changes) -> Dataset:
        notify = changes.pop("notify", None)
        items = {"path": "items.csv", "id": "item", "title": "title"} | changes.pop("items", {})
        own = {"interactions": INTERACTIONS | changes.pop("interactions", {}), "items": items, **changes}
        return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), notify=notify, base=self.folder)

    def refusal(self, **changes) -> str:
        with pytest.raises(DataError) as error:
            self.load(**changes)
        return str(error.value)

    def moments(self, cells, **changes) -> list[str]:
        """What is made of times, in the order of the rows, to the nanosecond."""
        self.times(cells)
        history = self.load(interactions=changes).interactions
        ticks = history.timestamps[np.argsort(history.items)] * (10**9 // history.ticks_per_second)
        return [str(moment) for moment in ticks.astype("datetime64[ns]")]

    def _write(self, frame: pd.DataFrame, name: str, **how) -> None:
        if name.endswith(".parquet"):
            frame.to_parquet(self.folder / name)
        else:
            frame.to_csv(self.folder / name, index=False, **how)
