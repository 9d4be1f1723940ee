"""A run's own copy of the data that it was handed, so that its directory is all it needs."""

from __future__ import annotations

import io
from pathlib import Path

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.experiments.archive import directory as files
from groundlings.experiments.config.loading import dump_config
from groundlings.experiments.config.schema import ExperimentConfig


def with_data_kept(config: ExperimentConfig, dataset: Dataset | None, directory: Path) -> ExperimentConfig:
    """The configuration as a run's directory holds it; with `copy_data`, after its data has been written there.

    Args:
        config: Of the run.
        dataset: Its data, read; None where the configuration's has to be read first.
        directory: The run's.

    Raises:
        RunDirectoryError: The copy cannot be written.
    """
    if not config.copy_data:
        return config
    import pyarrow.parquet

    from groundlings.environments.datasets.copies import FOLDER, copies_of, described

    dataset = dataset or load_dataset(config.dataset, base=config.base)
    (directory / FOLDER).mkdir(exist_ok=True)
    for name, table in copies_of(dataset).items():
        content = io.BytesIO()
        pyarrow.parquet.write_table(table, content)
        files.write_bytes(directory / FOLDER / f"{name}.parquet", content.getvalue())
    kept = {
        **dump_config(config),
        "base": directory.resolve(),
    }
    kept["dataset"]["own"] = described(dataset).model_dump(mode="json", exclude_none=True)
    return ExperimentConfig.model_validate(kept)
