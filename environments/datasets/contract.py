"""What every data set promises, as tests to inherit: subclass, write `build`, run pytest.

    class TestShop(DatasetContract):
        def build(self):
            return Shop(Path("purchases.csv"))

A loader that needs a directory or downloads of yours gets them by overriding `context`. Nothing here needs pytest to be
imported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.archives import cache_directory
from groundlings.environments.datasets.checking import of_history, of_items, of_people
from groundlings.environments.datasets.forms import of_forms
from groundlings.environments.datasets.loader import DatasetLoader, LoadContext
from groundlings.environments.datasets.registry import FunctionLoader


class DatasetContract(ABC):
    """Inheritable tests of a loader of data."""

    @abstractmethod
    def build(self) -> DatasetLoader | Callable[..., Dataset]:
        """A new loader, or the function that loads."""

    def context(self) -> LoadContext:
        """What the loader is given: the working directory, the usual cache, and no downloads."""
        return LoadContext(Path.cwd(), cache_directory(), allow_download=False)

    def test_says_what_it_is_before_it_is_loaded(self) -> None:
        """Description, size and licence each say something."""
        loader = self._loader()
        for name in ("description", "size", "licence"):
            assert str(getattr(loader, name)).strip(), f"{name} says nothing"

    def test_users_are_known_by_one_id_each(self) -> None:
        """Ids are unique and not empty, and `interactions.n_users` counts them."""
        assert of_people(self._load()) == []

    def test_items_are_known_by_one_id_each(self) -> None:
        """Ids and titles are not empty, and `interactions.n_items` counts them."""
        dataset = self._load()
        assert of_items(dataset) == []
        assert len(set(dataset.catalog.item_ids)) == len(dataset.catalog)

    def test_interactions_are_in_order_and_on_the_scale(self) -> None:
        """By time and user, each once; ratings are on the scale or NaN; nothing is simulated."""
        assert of_history(self._load()) == []

    def test_row_numbers_and_times_are_in_range(self) -> None:
        """Users and items are row numbers; times are whole ticks since 1970, as many per second as is said."""
        dataset = self._load()
        history = dataset.interactions
        for numbers, size in ((history.users, len(dataset.people)), (history.items, len(dataset.catalog))):
            assert np.all((numbers >= 0) & (numbers < size)), "a row number is out of range"
        assert np.issubdtype(history.timestamps.dtype, np.integer), "times must be whole ticks"
        assert of_forms(dataset) == []

    def test_the_licence_and_the_source_say_something(self) -> None:
        """Whoever gets an export has to know the terms of the data behind it."""
        dataset = self._load()
        assert dataset.licence.strip()
        assert dataset.source.strip()

    def test_loaded_twice_it_is_the_same(self) -> None:
        """Nothing random, and no order that changes."""
        assert self._load().fingerprint == self._load().fingerprint

    def _loader(self) -> DatasetLoader:
        built = self.build()
        if hasattr(built, "load"):
            return cast("DatasetLoader", built)
        return FunctionLoader(built, {})

    def _load(self) -> Dataset:
        dataset = self._loader().load(self.context())
        assert isinstance(dataset, Dataset), f"expected a Dataset, found a {type(dataset).__name__}"
        return dataset
