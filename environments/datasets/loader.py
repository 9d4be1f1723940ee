"""What a data set has to provide: the protocol of shipped ones, of plug-ins, and of your own `module:NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.download import ProgressHook
from groundlings.environments.plugins import ExtensionPoint

DATASET_LOADERS = ExtensionPoint(
    "data set",
    "groundlings.datasets",
    {
        "ml-100k": "groundlings.environments.datasets.shipped:ML_100K",
        "ml-1m": "groundlings.environments.datasets.shipped:ML_1M",
        "complete-journey": "groundlings.environments.datasets.shipped:COMPLETE_JOURNEY",
        "toy": "groundlings.environments.datasets.shipped:TOY",
        "own": "groundlings.environments.datasets.shipped:OWN",
        "coat": "groundlings.environments.datasets.shipped:COAT",
    },
    own="your own loader as module:NAME",
)


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What a loader may use.

    Attributes:
        base_directory: Where relative paths of the experiment file start.
        cache_directory: Where downloads are kept; it may not exist yet.
        allow_download: Whether missing data may be fetched.
        options: As the YAML has them; the parameters of a class or a function have been filled from them.
        progress: Told how far a download is: what, bytes done, bytes in all or None.
        notify: Given a sentence for the person who waits; None where nobody reads it.
    """

    base_directory: Path
    cache_directory: Path
    allow_download: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: ProgressHook | None = None
    notify: Callable[[str], None] | None = None


class DatasetLoader(Protocol):
    """Loads one data set. Options in the YAML are the parameters of the class's constructor:

        class Shop:
            description = "Purchases of a shop"
            size = "3 users, 4 items, 6 purchases"
            licence = "CC BY 4.0"

            def __init__(self, path: Path):
                self.path = path

            def load(self, context):
                table = pd.read_csv(context.base_directory / self.path)
                ...
                return Dataset("shop", catalog, people, history.chronological(), RatingScale(), str(self.path),
                               self.licence)

        dataset: {name: "my_data:Shop", options: {path: purchases.csv}}

    A function that takes a `LoadContext` (and perhaps options) and returns a `Dataset` will do as well.
    `groundlings.environments.datasets.contract.DatasetContract` checks what a loader has to keep.

    Attributes:
        description: One line, of the class, so that `groundlings datasets list` can print it without building one.
        size: Users, items and interactions, in words, likewise.
        licence: The data's terms in a sentence, likewise.
    """

    description: str
    size: str
    licence: str

    def load(self, context: LoadContext) -> Dataset:
        """The whole data set; equal files and options give equal data sets.

        Raises:
            DataError: Data is missing, damaged, or says something impossible.
        """
        ...
