"""The `dataset` argument: what a configuration says of it, and the data where it was handed over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.checking import check_dataset
from groundlings.environments.datasets.config import DatasetConfig, OwnData
from groundlings.environments.datasets.copies import as_copied, described
from groundlings.environments.datasets.frames import Tables
from groundlings.environments.errors import ConfigError, shown
from groundlings.experiments.config.complaints import checked, key_path, together


def dataset_of(given: object) -> tuple[Any, Dataset | None]:
    """The `dataset` section of an experiment, and the data set where the section cannot name it.

    Args:
        given: A name, a mapping as in an experiment file, a DataFrame of interactions, `Tables`, or a `Dataset`.

    Raises:
        ConfigError: It is none of these, or a column is named that there is not.
        DataError: A table says something impossible.
    """
    import pandas as pd

    if isinstance(given, (str, Mapping, DatasetConfig)):
        return given, None
    if isinstance(given, pd.DataFrame):
        given = Tables(given)
    if isinstance(given, Tables):
        found = _read(given)
    elif isinstance(given, Dataset):
        check_dataset(given.real, "dataset")
        found = as_copied(given)
    elif isinstance(given, os.PathLike):
        raise ConfigError(
            f"dataset: found the path {os.fspath(given)!r}; read it with pandas and hand over the DataFrame, or name "
            "it under {'name': 'own', 'own': {...}}"
        )
    else:
        raise ConfigError(
            f"dataset: found {shown(given)}, expected a name such as 'ml-100k', a mapping as in an experiment file, "
            "a pandas DataFrame of interactions, groundlings.Tables or a Dataset"
        )
    return {"name": "own", "own": described(found).model_dump()}, found


def _read(tables: Tables) -> Dataset:
    try:
        own = checked(OwnData, tables.section(), lambda where, what: f"{key_path(where)}: {what}")
    except ConfigError as error:
        raise together(f"dataset.{line}" for line in str(error).splitlines()) from None
    return tables.load(own)
