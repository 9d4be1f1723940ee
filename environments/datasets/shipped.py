"""The loaders that come with Groundlings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import complete_journey, movielens, movielens_1m, movielens_100k
from groundlings.environments.datasets.archives import Archive, Files, read_files
from groundlings.environments.datasets.checked import once_checked
from groundlings.environments.datasets.coat import LICENCE as COAT_LICENCE
from groundlings.environments.datasets.coat import WHERE as COAT_WHERE
from groundlings.environments.datasets.coat import load_coat
from groundlings.environments.datasets.complete_journey_offers import promotions_archive
from groundlings.environments.datasets.config import CompleteJourneyOptions, OwnData, ToyOptions
from groundlings.environments.datasets.loader import LoadContext
from groundlings.environments.datasets.own import OWN_LICENCE, load_own
from groundlings.environments.datasets.times import remark_on_times
from groundlings.environments.datasets.toy import TOY_LICENCE, make_toy
from groundlings.environments.errors import DataError
from groundlings.environments.paths import together


@dataclass(slots=True)
class ArchiveLoader:
    """A public data set that is downloaded once; see `loader.DatasetLoader`.

    Attributes:
        archive: Its downloads.
        parse: What turns the downloads into a data set.
    """

    description: str
    size: str
    licence: str
    archive: Archive
    parse: Callable[[Files], Dataset]

    def load(self, context: LoadContext) -> Dataset:
        """The data set, from the cache or fetched into it."""
        files = read_files(
            self.archive, context.cache_directory, allow_download=context.allow_download, progress=context.progress
        )
        return self.parse(files)


@dataclass(slots=True)
class CompleteJourneyLoader:
    """A year of groceries; see `loader.DatasetLoader`.

    Attributes:
        archive: Its downloads.
    """

    description: str = "The Complete Journey: groceries that households bought in 2017, a third of them described"
    size: str = "2,469 users, 2,977 items, 393,834 first purchases (products of at least 60 households)"
    licence: str = complete_journey.LICENCE
    archive: Archive = complete_journey.ARCHIVE

    def load(self, context: LoadContext) -> Dataset:
        """The data set, from the cache or fetched into it, less what the options leave out."""
        files = read_files(
            self.archive, context.cache_directory, allow_download=context.allow_download, progress=context.progress
        )
        options = CompleteJourneyOptions.model_validate(context.options)
        promotions = None
        if options.offers is not None:
            promotions = read_files(
                promotions_archive(self.archive.wheel),
                context.cache_directory,
                allow_download=context.allow_download,
                progress=context.progress,
            )
        return complete_journey.parse(files, options, promotions)


@dataclass(slots=True)
class ToyLoader:
    """The made-up world; see `loader.DatasetLoader`."""

    description: str = "A made-up world of tastes, for tests and benchmarks"
    size: str = "as you ask"
    licence: str = TOY_LICENCE

    def load(self, context: LoadContext) -> Dataset:
        """A world of the size that the options (`ToyOptions`) ask for."""
        return make_toy(ToyOptions.model_validate(context.options))


@dataclass(slots=True)
class OwnLoader:
    """Tables of the user's own; see `loader.DatasetLoader`."""

    description: str = "Your own CSV or Parquet tables (docs/own-data.md)"
    size: str = "as it is"
    licence: str = OWN_LICENCE

    def load(self, context: LoadContext) -> Dataset:
        """The tables that the options (`OwnData`) name."""
        own = OwnData.model_validate(context.options)
        base = context.base_directory
        dataset = once_checked(own, base, context.cache_directory, lambda: load_own(own, base))
        told = remark_on_times(dataset.interactions) if dataset.times_known else ""
        if told and context.notify is not None and own.interactions.time_unit is None:
            context.notify(f"{together(own.interactions.path)}: {told}")
        if context.notify is not None and own.on_problem == "report":
            for note in dataset.notes:
                context.notify(note)
        return dataset


@dataclass(slots=True)
class CoatLoader:
    """Files that lie in a folder of the user's; see `loader.DatasetLoader`."""

    description: str = "Coat: ratings of what people chose, and of random items, with demographics (from its authors)"
    size: str = "290 users, 300 items, 6,960 chosen and 4,640 random ratings"
    licence: str = COAT_LICENCE

    def load(self, context: LoadContext) -> Dataset:
        """The self-chosen part of the files in `dataset.directory`."""
        if context.options.get("directory") is None:
            raise DataError(f"dataset.directory: missing. {COAT_WHERE} (dataset.directory)")
        return load_coat(context.base_directory / context.options["directory"])


ML_100K = ArchiveLoader(
    "MovieLens-100K: film ratings of real people with age, gender and occupation, 1997-1998",
    "943 users, 1,682 items, 100,000 ratings",
    movielens.LICENCE,
    movielens_100k.ARCHIVE,
    movielens_100k.parse,
)
ML_1M = ArchiveLoader(
    "MovieLens-1M: the same, larger and later, 2000-2003",
    "6,040 users, 3,883 items, 1,000,209 ratings",
    movielens.LICENCE,
    movielens_1m.ARCHIVE,
    movielens_1m.parse,
)
COMPLETE_JOURNEY = CompleteJourneyLoader()
TOY = ToyLoader()
OWN = OwnLoader()
COAT = CoatLoader()
