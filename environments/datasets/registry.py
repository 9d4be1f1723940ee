"""Every data set by name, and the one door to load them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import movielens, movielens_1m, movielens_100k
from groundlings.environments.datasets.archives import Archive, Files, cache_directory, read_files
from groundlings.environments.datasets.config import DatasetConfig, OwnData, ToyOptions
from groundlings.environments.datasets.download import ProgressHook
from groundlings.environments.datasets.own import OWN_LICENCE, load_own
from groundlings.environments.datasets.toy import TOY_LICENCE, make_toy


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """What a data set is, before anything is loaded.

    Attributes:
        name: As in the YAML.
        description: One line.
        size: Users, items and interactions, in words.
        licence: Its terms in a sentence.
        archive: Its downloads, None where nothing is downloaded.
        parse: What turns the downloads into a data set, None likewise.
    """

    name: str
    description: str
    size: str
    licence: str
    archive: Archive | None = None
    parse: Callable[[Files], Dataset] | None = None


DATASETS: Mapping[str, DatasetEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            DatasetEntry(
                "ml-100k",
                "MovieLens-100K: film ratings of real people with age, gender and occupation, 1997-1998",
                "943 users, 1,682 items, 100,000 ratings",
                movielens.LICENCE,
                movielens_100k.ARCHIVE,
                movielens_100k.parse,
            ),
            DatasetEntry(
                "ml-1m",
                "MovieLens-1M: the same, larger and later, 2000-2003",
                "6,040 users, 3,883 items, 1,000,209 ratings",
                movielens.LICENCE,
                movielens_1m.ARCHIVE,
                movielens_1m.parse,
            ),
            DatasetEntry("toy", "A made-up world of tastes, for tests and benchmarks", "as you ask", TOY_LICENCE),
            DatasetEntry("own", "Your own CSV or Parquet tables (docs/own-data.md)", "as it is", OWN_LICENCE),
        )
    }
)


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
        DataError: Data is missing, damaged, or says something impossible; the message names file, row and fix.
    """
    start = Path() if base is None else base
    if config.name == "toy":
        return make_toy(config.toy or ToyOptions())
    entry = DATASETS[config.name]
    if entry.archive is None or entry.parse is None:
        return load_own(OwnData.model_validate(config.own), start)
    directory = cache_directory(None if config.directory is None else start / config.directory.expanduser())
    files = read_files(entry.archive, directory, allow_download=config.allow_download, progress=progress)
    dataset = entry.parse(files)
    if notify is not None:
        _show_licence_once(entry, directory, notify)
    return dataset


def _show_licence_once(entry: DatasetEntry, directory: Path, notify: Callable[[str], None]) -> None:
    marker = directory / f".{entry.name}-licence-shown"
    if marker.exists():
        return
    notify(f"{entry.name}: {entry.licence}")
    try:
        marker.touch()
    except OSError:
        return  # a cache that cannot be written (shared, read-only) shows the terms each time
