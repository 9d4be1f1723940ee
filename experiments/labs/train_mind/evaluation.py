"""A model that is there already, weighed on people it never saw: the whole table and the slices, without training."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError, DataError, expectation
from groundlings.experiments.labs.fidelity.scenes import draw_scenes
from groundlings.experiments.labs.origin import origin_of
from groundlings.experiments.labs.train_mind.config import MODEL_DIRECTORY, RECORDS, TrainingConfig, TrainMindConfig
from groundlings.experiments.labs.train_mind.examples import questions_of_training
from groundlings.experiments.labs.train_mind.installed import check_installed
from groundlings.experiments.labs.train_mind.probe import Memory, MemoryProbe, weigh_memory
from groundlings.experiments.labs.train_mind.scenes import Ground, draw_learned, draw_material, new_items
from groundlings.experiments.labs.train_mind.slices import NEW_ITEMS, draw_slices
from groundlings.experiments.running.events import SILENT, LabStep, Note, Progress, on_download, on_note

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.network import Network
    from groundlings.experiments.labs.train_mind.weighing import Weighed

Record = dict[str, Any]
MODEL = "language model"


@dataclass(frozen=True)
class Evaluation:
    """What a model is worth.

    Attributes:
        about: Which model, which data, plain JSON values.
        slices: "all", and what the file asks for.
        memory: What the model tells of whom it learned from; None where nobody knows who that was.
    """

    about: Mapping[str, Any]
    slices: Sequence[Weighed]
    memory: Memory | None

    def as_dict(self) -> dict[str, Any]:
        """The content of `evaluation.json`."""
        return {
            "about": dict(self.about),
            "slices": [each.as_dict() for each in self.slices],
            "memorisation": None if self.memory is None else self.memory.as_dict(),
        }


def evaluate_mind(config: TrainMindConfig, model: Path, progress: Progress = SILENT) -> Evaluation:
    """Weigh a model that was trained before, or never.

    Args:
        config: What to ask about; `training` is not read but for precision, threads and device.
        model: The directory of a training or of a model, or a GGUF file.
        progress: Is told how far it is.

    Raises:
        ConfigError: There is no model, or it learned from people who would be asked about.
        UserError: The message says what to do.
    """
    check_installed()
    from groundlings.experiments.labs.train_mind.network import device_of, use_threads
    from groundlings.experiments.labs.train_mind.weighing import weigh

    device_of(config.training)  # refuses before scenes are drawn, which takes long
    use_threads(config.training.threads, config.seed)
    began = time.monotonic()
    path, record = find_model(model)
    steps = 3 + len(config.slices.short_histories) + bool(config.slices.new_items)
    progress.event(LabStep(0, steps, "scenes"))
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    ground = Ground(config, dataset)
    check_strangers(ground, path, record)
    material = draw_material(ground, new_items(ground))
    materials = {"all": material, **draw_slices(ground, material)}
    new = learned_about_new(ground, record)
    for line in _warnings(ground, path, record, new):
        progress.event(Note(line))
    network, tokenizer = _network_at(path, config.training)
    places = {name: number for number, name in enumerate(materials, start=1)}

    def tell(name: str, done: int, total: int) -> None:
        progress.event(LabStep(places[name], steps, f"answers, {name}: {done}/{total} scenes"))

    slices = list(weigh(ground, materials, network, tokenizer, MODEL, tell))
    progress.event(LabStep(steps - 1, steps, "memorisation"))
    memory = _memory_of(ground, record, network, tokenizer)
    about = {
        **origin_of(config, dataset),
        "model": path.name,
        "trained": None if record is None else {key: record["about"][key] for key in ("name", "seed", "dataset")},
        "new_items": new,
        "seconds": round(time.monotonic() - began, 1),
    }
    return Evaluation(about, slices, memory)


def _memory_of(ground: Ground, record: Record | None, network: Network, tokenizer: Any) -> Memory | None:
    """What the model tells of those it learned from, as at the end of its training; None where nobody knows them."""
    from groundlings.experiments.labs.train_mind.token_trees import Prompts

    if record is None or not _same_data(ground, record):
        return None
    trained = Ground(_config_of(record), ground.dataset)
    material = draw_material(trained, new_items(trained))
    prompts = {name: Prompts(tokenizer, each) for name, each in questions_of_training(trained, material).items()}
    probe = MemoryProbe(material, prompts, trained.chance("titles of the probe"))
    return weigh_memory(probe.ask(network), ground.config.bootstrap, ground.chance("probe"))


def _network_at(path: Path, options: TrainingConfig) -> tuple[Network, Any]:
    """The model of a place, on the device that is asked for, and its tokenizer."""
    from groundlings.experiments.labs.train_mind.network import Network, device_of, precision_of, read_model
    from groundlings.experiments.labs.train_mind.token_trees import answer_tokens

    model, tokenizer = read_model(path)
    return Network(model.to(device_of(options)), answer_tokens(tokenizer), precision_of(options)), tokenizer


def find_model(place: Path) -> tuple[Path, Record | None]:
    """The files of a model, and the record of its training where it lies beside them.

    Args:
        place: The directory of a training or of a model, or a GGUF file.

    Raises:
        ConfigError: There is no model.
    """
    path = place / MODEL_DIRECTORY if (place / MODEL_DIRECTORY).is_dir() else place
    if not (path / "config.json").is_file() and not path.is_file():
        raise ConfigError(
            f"--evaluate: found no model at {place}; expected the directory of a training (with {MODEL_DIRECTORY}/ in "
            "it), a directory as transformers saves a model, or a GGUF file"
        )
    beside = path.resolve().parent / RECORDS
    if not beside.is_file():
        return path, None
    record = read_record(beside)
    return path, record if path.resolve().name in record["about"]["files"].values() else None


def read_record(path: Path) -> Record:
    """What a training wrote of itself.

    Raises:
        DataError: It is damaged.
    """
    try:
        record = json.loads(bounded_text(path))
        known = all(key in record["about"] for key in ("config", "dataset", "dataset_hash", "files", "name", "seed"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise DataError(f"{path}: cannot be read as the record of a training ({fault}); train anew") from None
    if not known:
        raise DataError(f"{path}: is no record of a training; expected what `groundlings train-mind` writes")
    return dict(record)


def _same_data(ground: Ground, record: Record | None) -> bool:
    return record is not None and record["about"]["dataset_hash"] == ground.dataset.fingerprint


def check_strangers(ground: Ground, path: Path, record: Record | None) -> None:
    """Refuse to ask about people or moments that the model may have learned from.

    Raises:
        ConfigError: They may be such.
    """
    if record is None or not _same_data(ground, record):
        return
    then, config = _config_of(record), ground.config
    for key, found, expected in (
        ("split.salt", config.split.salt, then.split.salt),
        ("choice.later", config.choice.later, then.choice.later),
    ):
        if found != expected:
            raise ConfigError(
                f"{key}: found {found!r}, and the model {path} was trained with {expected!r} on the same data, so it "
                f"may have learned from those who would be asked about; expected the same (--set {key}={expected})"
            )


def _config_of(record: Record) -> TrainMindConfig:
    try:
        return TrainMindConfig.model_validate(record["about"]["config"])
    except ValidationError as fault:
        told = expectation(fault.errors()[0]["msg"])
        raise DataError(f"{RECORDS}: its configuration cannot be read ({told})") from None


def learned_about_new(ground: Ground, record: Record | None) -> dict[str, int | None] | None:
    """How many new items there are, and of how many of them the training decided; None without new items.

    Where nobody knows what the model was trained on, the second is None.
    """
    new = new_items(ground)
    if not len(new):
        return None
    if record is None or not _same_data(ground, record):
        return {"items": len(new), "decided": None}
    trained = Ground(_config_of(record), ground.dataset)
    learned = draw_learned(trained, draw_scenes(trained).statistics, new_items(trained), None)[0].lists
    return {"items": len(new), "decided": int(np.isin(new, learned.items[learned.listed]).sum())}


def _warnings(ground: Ground, path: Path, record: Record | None, new: Mapping[str, int | None] | None) -> Iterator[str]:
    """What a reader of the figures has to know."""
    if record is None:
        yield f"{path}: no {RECORDS} tells of its training, so nobody can say whom it learned from"
    elif _config_of(record).question != ground.config.question:
        yield "question: the model was trained with another one; its figures are those of a model asked otherwise"
    if new is not None and new["decided"]:
        yield (
            f"{NEW_ITEMS}: the training of this model decided about {new['decided']} of {new['items']} of them, so "
            "they are new to all that is counted, and not to the model"
        )
