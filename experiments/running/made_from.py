"""Whose histories each synthetic user was made from, as a file of the run's directory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from groundlings.environments.dataset import Dataset
from groundlings.environments.synthetic_users import SyntheticUsers
from groundlings.experiments.archive.directory import write_bytes

FILE_NAME = "synthetic_users.parquet"
"""One row per synthetic user: `user_id`, `made_from` (ids of real users, the one who gave most first) and
`attributes_from` (the id of a real user)."""


def write_made_from(directory: Path, dataset: Dataset, made: SyntheticUsers) -> None:
    """Write the file.

    Raises:
        RunDirectoryError: It cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet

    ids = pa.array(dataset.people.user_ids[: made.first], pa.string())
    each = made.made_from.shape[1]
    starts = pa.array(np.arange(0, made.made_from.size + 1, each), pa.int32())
    names = pa.DictionaryArray.from_arrays(pa.array(made.made_from.ravel(), pa.int32()), ids)
    table = pa.table(
        {
            "user_id": pa.array(dataset.people.user_ids[made.first :], pa.string()),
            "made_from": pa.ListArray.from_arrays(starts, names),
            "attributes_from": ids.take(pa.array(made.attributes_from)),
        }
    )
    content = io.BytesIO()
    pyarrow.parquet.write_table(table, content)
    write_bytes(directory / FILE_NAME, content.getvalue())
