"""The training part of an experiment's data as files, with a datasheet; the held-out part only on request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.repeats import RepeatRule
from groundlings.environments.split import Split, tied_cuts
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.folders import check_free, new_directory
from groundlings.experiments.exports.formulas import formula_notes
from groundlings.experiments.running.events import SILENT, Progress, on_download, on_note
from groundlings.experiments.split_out import tables
from groundlings.experiments.split_out.datasheet import write_datasheet
from groundlings.personas.population import build_population

Form = Literal["csv", "parquet"]

TRAIN, USERS, ITEMS, EXCLUDED, HELD_OUT = "train", "users", "items", "excluded", "held_out"
"""Names of the files, without their ending."""


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """What was written.

    Attributes:
        directory: Where it lies.
        rows: File -> its rows.
        notes: What a reader has to know, a sentence each.
    """

    directory: Path
    rows: Mapping[str, int]
    notes: tuple[str, ...]


def write_split(
    config: ExperimentConfig,
    out: Path,
    form: Form = "csv",
    *,
    held_out: bool = False,
    progress: Progress = SILENT,
) -> SplitFiles:
    """Write the training part, the users to serve, the items, and the items that each user is not shown.

    Arms are not built, so that a file of rankings which one of them names need not exist yet.

    Args:
        config: The experiment.
        out: The new directory.
        form: Of the files.
        held_out: Whether the held-out part is written as well; whoever trains on it has seen the future.
        progress: Told of downloads and notes.

    Raises:
        ConfigError: The split or the population is impossible.
        DataError: The data cannot be read.
        RunDirectoryError: `out` is taken or cannot be written.
    """
    check_free(out)
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    dataset, split = config.population.of(dataset, config.split.of(dataset), config.seed)
    users = build_population(dataset, split.train, size=config.population.size, seed=config.seed).users
    text = form == "csv"
    written = {
        TRAIN: tables.interactions(dataset, split.train, as_text=text),
        USERS: tables.served(dataset, split.train, users),
        ITEMS: tables.items(dataset),
        EXCLUDED: tables.excluded(dataset, split, users, config.repeats),
    }
    if held_out:
        written[HELD_OUT] = tables.interactions(dataset, split.test, as_text=text)
    with new_directory(out) as draft:
        files = {f"{name}.{form}": table for name, table in written.items()}
        for name, table in files.items():
            _write(draft / name, table)
        notes = (*_notes(dataset, split, config.repeats, held_out=held_out), *dataset.notes, *formula_notes(draft))
        facts = _facts(config, dataset, split)
        facts["files"] = {
            name: {"rows": table.num_rows, "columns": table.column_names, "sha256": _sha256(draft / name)}
            for name, table in files.items()
        }
        write_datasheet(draft, facts, notes)
    return SplitFiles(out, {name: table.num_rows for name, table in files.items()}, notes)


def _write(path: Path, table: pa.Table) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="needed"))
    else:
        pyarrow.parquet.write_table(table, path)


def _facts(config: ExperimentConfig, dataset: Dataset, split: Split) -> dict[str, Any]:
    """What a program needs to know."""
    return {
        "experiment": config.name,
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.fingerprint,
            "source": dataset.source,
            "licence": dataset.licence,
            "users": len(dataset.people),
            "items": len(dataset.catalog),
            "interactions": len(dataset.interactions),
            "times_known": dataset.times_known,
            "ticks_per_second": dataset.interactions.ticks_per_second,
        },
        "split": {
            **config.split.model_dump(),
            "test_fraction": None if config.split.kind == "given" else config.split.test_fraction,
            "training_interactions": len(split.train),
            "held_out_interactions": len(split.test),
            "left_out_interactions": split.left_out,
            "users_without_training_history": len(split.dropped_users),
            "users_whose_cut_is_within_a_moment": tied_cuts(split) if dataset.times_known else None,
        },
        "population": {**config.population.model_dump(exclude_none=True), "seed": config.seed},
    }


def _notes(dataset: Dataset, split: Split, repeats: RepeatRule, *, held_out: bool) -> tuple[str, ...]:
    """What has to be kept in mind by whoever trains on the files."""
    found = [
        "items are all of the catalog; those that nobody meets in the training part may be recommended, too",
        _told_exclusion(repeats),
    ]
    if held_out:
        found.append(
            "held_out is the part that arms are measured on: a model that was trained on it has seen the future"
        )
    if not dataset.times_known:
        found.append("nobody knows when interactions took place: the order of rows says nothing")
    elif split.labels == "random":
        found.append("the split is not by time: of some interactions the training part holds later ones")
    return tuple(found)


def _told_exclusion(repeats: RepeatRule) -> str:
    """Which known items are not shown, in words."""
    if not repeats.allowed:
        return "excluded are the items of each user's training part: they are not shown again, whatever ranks them"
    if repeats.at_once:
        return "nothing is excluded: known items may be shown again (site.repeats), so rank them, too"
    return (
        f"excluded are items that the user took up within {repeats.after_days:g} days before the simulation "
        "(site.repeats): they come back on a later day, so rank them, too"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
