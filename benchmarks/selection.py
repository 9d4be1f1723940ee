"""Does a choice of moments teach more than all of them? One training for each, weighed on the same people.

    python -m benchmarks.selection --out DIR [--scenes 96] [--people 80] [--draws 1] [--again 0] [--model NAME=DIR]...

`examples.choose` is `all`, `hard` and `diverse` in turn, and nothing else differs: the same people may be learned from,
as many moments are taken, and the training has the same options and seed. Draw 2 does the same with other moments, an
other order and other first weights of the adapter (the seed of the file plus one), and so on. Everybody who is asked is
of the test third, in each draw the same people with the same questions: a choice among five and a list.

The figure that decides is the list AUC; top-1 of the choices among five stands beside it. Each is also given less that
of `all` for the same people, and as the mean over the draws, with 95 % intervals over people. These do not hold how far
another training of the same kind would lie. A second draw shows it, and `--again 1` the cheaper one of `all` alone.

`--model` asks a model that was trained before the same questions; its people are held against the record beside it.

What a model said is kept in DIR, one file per training. A second start asks only what is missing, and goes on with a
training that was interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.selection_table import ALL, FIVE, LISTS, WAYS, Arm, Comparison, print_table
from groundlings.environments.arrays import FloatArray
from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError, DataError, GroundlingsError, shown
from groundlings.experiments.archive.directory import write_json
from groundlings.experiments.config.loading import load_as, with_effect
from groundlings.experiments.labs.train_mind.config import CHECKPOINT, TrainMindConfig
from groundlings.experiments.labs.train_mind.evaluation import check_strangers, find_model
from groundlings.experiments.labs.train_mind.examples import questions_of_training
from groundlings.experiments.labs.train_mind.first_answers import plain_scores, scores_of
from groundlings.experiments.labs.train_mind.installed import check_installed
from groundlings.experiments.labs.train_mind.lab import base_of
from groundlings.experiments.labs.train_mind.scenes import Ground, draw_learned, draw_material, new_items
from groundlings.experiments.labs.train_mind.scoring import KNN_LATEST, POPULARITY, Scores, ask_network, groups_of
from groundlings.experiments.labs.train_mind.selection import cheap_scores
from groundlings.experiments.labs.train_mind.token_trees import Prompts, answer_tokens

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.training import Trained

CONFIG = Path(__file__).parents[1] / "experiments" / "configs" / "train_mind.yaml"
CHANGES = ("choice.scenes=1", "examples.targets=4", "examples.others=8")
"""Of the file; they make a moment and a person's questions cheaper."""

UNTRAINED = "untrained"


class Bench:
    """Trains one model after the other from the same weights, and asks each the same.

    Args:
        ground: Data and options.
        base: The weights that every training starts from.
        directory: Where what was said is kept.
    """

    def __init__(self, ground: Ground, base: Path, directory: Path) -> None:
        self._ground, self._base, self._directory = ground, base, directory
        self._material = draw_material(ground, new_items(ground))
        self._statistics = self._material.groups.statistics
        self.groups = {name: each for name, each in groups_of(self._material).items() if name in (FIVE, LISTS)}

    def rivals(self) -> dict[str, Scores]:
        """Popularity and item kNN on the latest items, which learn from no moment."""
        found: dict[str, dict[str, FloatArray]] = {POPULARITY: {}, KNN_LATEST: {}}
        for group, scenes in self.groups.items():
            for column, scores in enumerate(found.values()):
                both = cheap_scores(scenes, self._statistics)
                scores[group] = np.where(scenes.lists.listed, both[..., column], np.nan)
        return dict(found)

    def told(self, name: str, source: Arm | Path) -> dict[str, Any]:
        """What a model says, from its file where there is one.

        Args:
            name: Of the file.
            source: The training that makes the model, or a model that is there.

        Raises:
            DataError: The file is damaged, or of other options, data or weights.
        """
        path = self._directory / f"{name}.json"
        identity = self._identity(name, source)
        if path.exists():
            return read_told(path, identity)
        _say(f"{name}: begins")
        began = time.process_time()
        known, model, tokenizer = self._trained(source, identity) if isinstance(source, Arm) else self._there(source)
        content = {"identity": identity, **known, **self._answers(model, tokenizer)}
        write_json(path, content | {"cpu_seconds": round(time.process_time() - began, 1)})
        (self._directory / name / CHECKPOINT).unlink(missing_ok=True)
        return read_told(path, identity)

    def _there(self, source: Path) -> tuple[dict[str, Any], Any, Any]:
        """A model that is there, and its tokenizer; refused if it learned from those who would be asked about."""
        from groundlings.experiments.labs.train_mind.network import read_model

        path, record = find_model(source)
        check_strangers(self._ground, path, record)
        return {}, *read_model(path)

    def _trained(self, arm: Arm, identity: str) -> tuple[dict[str, Any], Any, Any]:
        """What a training took and learned from, its model, and the tokenizer."""
        from groundlings.experiments.labs.train_mind.network import (
            Network,
            precision_of,
            read_model,
            use_threads,
            with_adapter,
        )
        from groundlings.experiments.labs.train_mind.training import Trainer

        config = _of_arm(self._ground.config, arm)
        ground = Ground(config, self._ground.dataset)
        learned, selection = draw_learned(ground, self._statistics, new_items(self._ground), None)
        words = questions_of_training(ground, replace(self._material, learned=learned))["learned"]
        use_threads(config.training.threads, config.seed)
        model, tokenizer = read_model(self._base)
        lora = config.training.weights == "lora"
        changing = with_adapter(model, config.training.rank) if lora else model
        network = Network(changing, answer_tokens(tokenizer), precision_of(config.training))
        directory = self._directory / arm.name
        directory.mkdir(exist_ok=True)
        trainer = Trainer(
            network, Prompts(tokenizer, words), learned, config.training, directory,
            seed=config.seed, identity=identity,
        )  # fmt: skip
        trainer.resume()
        trained = trainer.train(lambda done, total, loss: _say(f"{arm.name}: step {done} of {total}, loss {loss:.3f}"))
        about = {"selection": asdict(selection), "people": len(np.unique(learned.users)), "training": _plain(trained)}
        return about, changing.merge_and_unload() if lora else changing, tokenizer

    def _answers(self, model: Any, tokenizer: Any) -> dict[str, Any]:
        from groundlings.experiments.labs.train_mind.network import Network, precision_of

        network = Network(model, answer_tokens(tokenizer), precision_of(self._ground.config.training))
        questions = questions_of_training(self._ground, self._material)
        prompts = {group: Prompts(tokenizer, questions[group]) for group in self.groups}
        said = ask_network(network, prompts, self.groups)
        return asdict(said) | {"scores": plain_scores(said.scores)}

    def _identity(self, name: str, source: Arm | Path) -> str:
        """What answers must have been made from to stand in the same table."""
        known = with_effect(self._ground.config) | {"bootstrap": None}
        model = self._base.name if isinstance(source, Arm) or source == self._base else str(source)
        content = json.dumps([name, known, self._ground.dataset.fingerprint, model], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def _of_arm(config: TrainMindConfig, arm: Arm) -> TrainMindConfig:
    """The file with the way of choosing and the seed of an arm."""
    examples = config.examples.model_copy(update={"choose": arm.way})
    return config.model_copy(update={"examples": examples, "seed": config.seed + arm.draw - 1})


def read_told(path: Path, identity: str) -> dict[str, Any]:
    """What a model said, with scores as arrays.

    Raises:
        DataError: The file is damaged, or of something else.
    """
    anew = "delete it to train and ask anew, or write to another directory (--out)"
    try:
        told = json.loads(bounded_text(path))
        told["scores"] = scores_of(told["scores"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise DataError(f"{path}: cannot be read as what a model said ({fault}); {anew}") from None
    if told.get("identity") != identity:
        raise DataError(f"{path}: is of other options, data or weights; expected those of this start; {anew}")
    return dict(told)


def main() -> int:
    """Train, ask, compare and print; the exit status."""
    arguments = _arguments()
    try:
        check_installed()
        changes = [f"population.size={arguments.people}", f"examples.scenes={arguments.scenes}", *CHANGES]
        config = load_as(TrainMindConfig, arguments.config, [*changes, *arguments.set])
        ground = Ground(config, load_dataset(config.dataset, base=config.base))
        arguments.out.mkdir(parents=True, exist_ok=True)
        base = base_of(config)
        others = {UNTRAINED: base, **_models(arguments.model)}
        bench = Bench(ground, base, arguments.out)
        arms = [Arm(way, draw) for draw in range(1, arguments.draws + 1) for way in WAYS]
        arms += [Arm(ALL, arguments.draws + number) for number in range(1, arguments.again + 1)]
        told = {arm: bench.told(arm.name, arm) for arm in arms}
        there = {name: bench.told(name, source) for name, source in others.items()}
    except GroundlingsError as error:
        print(error, file=sys.stderr)
        return 1
    comparison = Comparison(bench.groups, config.bootstrap, ground.chance("people"))
    scores = {name: each["scores"] for name, each in there.items()}
    print_table(comparison, told, {**bench.rivals(), **scores}, arguments.draws)
    for name, each in {**{arm.name: each for arm, each in told.items()}, **there}.items():
        print(f"{name}: {each['unreadable']:,} of {each['asked']:,} unreadable, {each['cpu_seconds']:,.0f} CPU seconds")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIG, help="data, question, training: a file of train-mind")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the file")
    parser.add_argument("--scenes", type=int, default=96, help="moments that each model learns from")
    parser.add_argument("--people", type=int, default=80, help="of the test third, who are asked about")
    parser.add_argument("--draws", type=int, default=1, help="trainings for each way of choosing")
    parser.add_argument("--again", type=int, default=0, help="further trainings of `all` alone, each of other moments")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=DIR", help="ask this trained model, too")
    parser.add_argument("--out", type=Path, required=True, help="keep there what was said")
    return parser.parse_args()


def _models(told: list[str]) -> dict[str, Path]:
    """Name -> place of the models of `--model`."""
    found: dict[str, Path] = {}
    for each in told:
        name, _, place = each.partition("=")
        taken = name in found or name == UNTRAINED or name.rpartition("-")[0] in WAYS
        if taken or not place or not re.fullmatch(r"[\w.-]+", name):
            raise ConfigError(
                f"--model: found {shown(each)}; expected NAME=DIR with a name of letters, digits, dots and dashes that "
                "no other model has"
            )
        found[name] = Path(place).absolute()
    return found


def _plain(trained: Trained) -> dict[str, Any]:
    """What a training took, with the mean loss of its last third of steps."""
    losses = trained.losses
    return asdict(trained) | {"last": float(np.mean(losses[-max(len(losses) // 3, 1) :]))}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
