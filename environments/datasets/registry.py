"""From `dataset.name` in the YAML to a data set: shipped ones, plug-ins, and your own `module:NAME`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.archives import cache_directory
from groundlings.environments.datasets.checking import check_dataset
from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.datasets.download import ProgressHook
from groundlings.environments.datasets.loader import DATASET_LOADERS, DatasetLoader, LoadContext
from groundlings.environments.datasets.shipped import (
    COAT,
    COMPLETE_JOURNEY,
    ML_1M,
    ML_100K,
    OWN,
    TOY,
    ArchiveLoader,
    CoatLoader,
    CompleteJourneyLoader,
    OwnLoader,
    ToyLoader,
)
from groundlings.environments.errors import ConfigError
from groundlings.environments.plugins import constructor_arguments

DATASETS: Mapping[str, ArchiveLoader | CompleteJourneyLoader | ToyLoader | OwnLoader | CoatLoader] = MappingProxyType(
    {
        "ml-100k": ML_100K,
        "ml-1m": ML_1M,
        "complete-journey": COMPLETE_JOURNEY,
        "toy": TOY,
        "own": OWN,
        "coat": COAT,
    }
)
"""The shipped ones."""

_ABOUT = ("description", "size", "licence")


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """What a data set is, before anything is loaded.

    Attributes:
        name: As in the YAML.
        description: One line.
        size: Users, items and interactions, in words.
        licence: Its terms in a sentence.
    """

    name: str
    description: str
    size: str
    licence: str


@dataclass(slots=True)
class FunctionLoader:
    """A function that returns a data set, as a `DatasetLoader`.

    Attributes:
        function: Takes a `LoadContext`, and the options by name.
        arguments: The options.
    """

    function: Callable[..., Dataset]
    arguments: Mapping[str, Any]
    description: str = ""
    size: str = "said when it is loaded"
    licence: str = "said when it is loaded"

    def __post_init__(self) -> None:
        self.description = self.description or (inspect.getdoc(self.function) or "no description").splitlines()[0]

    def load(self, context: LoadContext) -> Dataset:
        """What the function returns."""
        return self.function(context, **self.arguments)


def find_loader(name: str, options: Mapping[str, Any], *, where: str = "dataset") -> DatasetLoader:
    """The loader of a name, ready to load.

    Args:
        name: Of a shipped data set or a plug-in, or `module:NAME` of a class, a function or a loader that exists.
        options: Parameters of the class or the function, as the YAML has them.
        where: Key path of the mapping that holds both, for messages.

    Raises:
        ConfigError: There is no such loader, or an option is not known, missing, or of another type.
    """
    at, under = f"{where}.name", f"{where}.options"
    found: Any = DATASET_LOADERS.load(name, at=at)
    if name in DATASETS:
        return cast("DatasetLoader", found)
    if isinstance(found, type):
        found = _built(found, name, options, at, under)
    elif inspect.isfunction(found):
        if "context" not in inspect.signature(found).parameters:
            raise ConfigError(f"{at}: the function {name} has no parameter `context` (docs/own-dataset.md)")
        arguments = constructor_arguments(found, name, options, reserved=("context",), at=at, under=under)
        return FunctionLoader(found, arguments)
    elif options:
        raise ConfigError(f"{under}: {name} takes no options; take the key out, or name its class")
    missing = [each for each in (*_ABOUT, "load") if not hasattr(found, each)]
    if missing:
        raise ConfigError(
            f"{at}: {name} is not a data set: it lacks {', '.join(missing)} "
            "(see groundlings.environments.datasets.loader.DatasetLoader)"
        )
    return cast("DatasetLoader", found)


def available_datasets() -> dict[str, DatasetEntry]:
    """Every name that can be written in the YAML, with what it is; nothing is loaded."""
    names = [*DATASETS, *(name for name in DATASET_LOADERS.names() if name not in DATASETS)]
    return {name: _entry(name) for name in names}


def load_dataset(
    config: DatasetConfig,
    progress: ProgressHook | None = None,
    *,
    notify: Callable[[str], None] | None = None,
    base: Path | None = None,
) -> Dataset:
    """The data set a configuration asks for, checked from end to end.

    Args:
        config: Which one.
        progress: Told how far a download is.
        notify: Given the licence, once per data directory.
        base: What relative paths start from: the directory of the experiment file; None is the working directory.

    Raises:
        ConfigError: There is no such data set, or its options are wrong.
        DataError: Data is missing, damaged, or says something impossible; the message names file, row and fix.
    """
    start = Path() if base is None else base
    directory = cache_directory(None if config.directory is None else start / config.directory)
    options = config.loader_options()
    loader = find_loader(config.name, options)
    dataset = loader.load(LoadContext(start, directory, config.allow_download, options, progress, notify))
    if config.name not in DATASETS:
        if not isinstance(dataset, Dataset):
            raise ConfigError(f"dataset.name: {config.name} loads a {type(dataset).__name__}; expected a Dataset")
        check_dataset(dataset, f"dataset {config.name}")
    if notify is not None and config.name not in ("toy", "own", "coat"):
        _show_licence_once(config.name, dataset.licence, directory, notify)
    return dataset


def _built(found: type[Any], name: str, options: Mapping[str, Any], at: str, under: str) -> Any:
    arguments = constructor_arguments(found, name, options, at=at, under=under)
    try:
        return found(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{under}: {error}") from error


def _entry(name: str) -> DatasetEntry:
    """What a loader says of itself; a class is not built, for it may need options."""
    try:
        found: Any = DATASET_LOADERS.load(name, at="dataset.name")
    except ConfigError as error:
        return DatasetEntry(name, f"cannot be used: {error}", "", "")
    if inspect.isfunction(found):
        found = FunctionLoader(found, {})
    return DatasetEntry(name, *(str(getattr(found, each, "not said")) for each in _ABOUT))


def _show_licence_once(name: str, licence: str, directory: Path, notify: Callable[[str], None]) -> None:
    marker = directory / f".{quote(name, safe='')}-licence-shown"
    if marker.exists():
        return
    notify(f"{name}: {licence}")
    try:
        marker.touch()
    except OSError:
        return  # a cache that cannot be written (shared, read-only) or is not there shows the terms each time
