"""A run whose data lies elsewhere than when it began: the same bytes under another path are the same experiment."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from os.path import commonpath
from pathlib import Path
from typing import Any

from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.lookalikes import same_letters
from groundlings.environments.paths import files_of, is_pattern
from groundlings.experiments.config.loading import dump_config
from groundlings.experiments.config.places import named_files, places_in
from groundlings.experiments.config.schema import ExperimentConfig


def with_data_at(config: ExperimentConfig, place: Path) -> ExperimentConfig:
    """A configuration whose files are looked for elsewhere, under the names that they have; their content is not read.

    Args:
        config: Of a run.
        place: The folder that holds the files, or the one file that was moved.

    Raises:
        ConfigError: None of the files lies there.
    """
    content = dump_config(config)
    sought: list[str] = []
    moved = False
    options = {key: content.get(key) for key in ("arms", "environment", "mind")}
    named = [*_places(content), *named_files(options, lambda _, value: Path(value).is_absolute())]
    places = list({(id(holder), key): (holder, key) for holder, key in named}.values())
    above = Path(commonpath([Path(holder[key]).parent for holder, key in places])) if places else Path()
    for holder, key in places:
        old = Path(holder[key])
        new = place if place.is_file() and place.name == old.name else place / old.relative_to(above)
        if not _lies(new):
            new = place / old.name
        if (_lies(new) and not new.is_dir()) or (key == "directory" and place.is_dir()):
            holder[key] = str((place if key == "directory" else new).resolve())
            moved = True
        else:
            sought.append(old.name)
    dataset = content["dataset"]
    if dataset["name"] not in ("own", "toy") and "options" not in dataset and place.is_dir():
        dataset["directory"], moved = str(place.resolve()), True
    if not moved:
        found = f"none of {', '.join(sought)}" if sought else "no file that this run reads from a path"
        there = [each.name for each in place.iterdir()] if place.is_dir() else []
        alike = next((f"; {told}" for name in sought if (told := same_letters(name, there))), "")
        raise ConfigError(
            f"--data {place}: found {found} there{alike}; give the folder that holds the files of the run"
        )
    return ExperimentConfig.model_validate({**content, "base": config.base})


def check_files(config: ExperimentConfig, directory: Path) -> None:
    """Raise `DataError` where a file that a run reads has gone, with the way to say where it is now.

    Args:
        config: Of the run.
        directory: The run's.
    """
    gone = [
        str(config.base / holder[key])
        for holder, key in _places(dump_config(config))
        if (key in ("path", "policy") or isinstance(key, int)) and not _lies(config.base / holder[key])
    ]
    if gone:
        raise DataError(
            f"{directory}: the run reads {' and '.join(gone)}, and there is no such file any more; where it lies "
            f"elsewhere now, say where: groundlings run --resume {shlex.quote(str(directory))} --data FOLDER"
        )


def _lies(path: Path) -> bool:
    """Whether a path, or a file of a pattern, is there."""
    return bool(files_of(path)) if is_pattern(path) else path.exists()


def _places(content: dict[str, Any]) -> Iterator[tuple[Any, str | int]]:
    """Each key that says where something lies which a run reads, with the mapping or the list that holds it."""
    sections: list[Any] = [{key: arm.get(key) for key in ("recommender", "options")} for arm in content["arms"]]
    sections += [content.get("environment"), content["mind"] if content["mind"].get("kind", "").count(":") else None]
    if not content.get("copy_data"):
        sections.append(content["dataset"])
    for section in sections:
        yield from places_in(section)
