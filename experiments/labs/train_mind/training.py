"""The training itself: scenes, AdamW, checkpoints, and the same weights whether it was interrupted or not."""

from __future__ import annotations

import json
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.leftovers import remove_leftovers
from groundlings.experiments.archive.directory import write_text
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.train_mind.config import CHECKPOINT, TrainingConfig
from groundlings.experiments.labs.train_mind.network import Network, loss_of_scene, preference_loss
from groundlings.experiments.labs.train_mind.token_trees import Prompts, Row, lay

STEPS = "steps.jsonl"
_HALF = f"{CHECKPOINT}.new"
_ANEW = "restore the file from a copy, or train anew without --resume"
_RISE, _LOWEST = 0.05, 0.1
_LONGEST_GRADIENT = 1.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training took.

    Attributes:
        steps: Changes of the weights, those before an interruption included.
        tokens, decisions: What was computed, in all.
        seconds: Wall time, in all.
        losses: Of each step.
    """

    steps: int
    tokens: int
    decisions: int
    seconds: float
    losses: tuple[float, ...]


class Trainer:
    """Changes the weights of a network.

    Args:
        network: Its parameters that require gradients are changed.
        prompts: The words of the questions about the scenes.
        scenes: What is learned from.
        options: How.
        directory: For checkpoints and the losses.
        seed: Of the order of scenes.
        identity: What a checkpoint must have been made from.
    """

    def __init__(
        self,
        network: Network,
        prompts: Prompts,
        scenes: Scenes,
        options: TrainingConfig,
        directory: Path,
        *,
        seed: int,
        identity: str,
    ) -> None:
        self._network, self._prompts, self._scenes, self._options = network, prompts, scenes, options
        self._directory, self._seed, self._identity = directory, seed, identity
        self._changing = {name: each for name, each in network.model.named_parameters() if each.requires_grad}
        self._adam = torch.optim.AdamW(self._changing.values(), lr=options.learning_rate, weight_decay=0.0)
        self._done = Trained(0, 0, 0, 0.0, ())

    @property
    def steps(self) -> int:
        """Changes of the weights that the options ask for."""
        return self._options.passes * math.ceil(len(self._scenes) / self._options.scenes_per_step)

    def resume(self) -> None:
        """Go on from the checkpoint of the directory, if there is one.

        Raises:
            DataError: It is damaged, or was made from other options or data.
        """
        path = self._directory / CHECKPOINT
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location=self._network.device, weights_only=True)
        except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as fault:
            raise DataError(f"{path}: cannot be read as a checkpoint ({fault}); train anew without --resume") from None
        if not isinstance(state, dict) or state.get("identity") != self._identity:
            raise DataError(
                f"{path} was made from another file, data set or base model; expected the same to go on from it: "
                "take --resume away, or write to another directory (--out)"
            )
        with torch.no_grad():
            for name, values in state["weights"].items():
                self._changing[name].copy_(values)
        self._adam.load_state_dict(state["adam"])
        self._done = Trained(**{**state["done"], "losses": tuple(state["done"]["losses"])})

    def train(self, on_step: Callable[[int, int, float], None] = lambda _done, _total, _loss: None) -> Trained:
        """Change the weights to the end; `on_step` is told how many steps are done, of how many, and the last loss."""
        remove_leftovers(self._directory, _HALF)
        path = self._directory / STEPS
        write_text(path, "".join(f"{line}\n" for line in self._steps_before(path)))
        with path.open("a", encoding="utf-8") as log:
            while self._done.steps < self.steps:
                self._step()
                said = {"step": self._done.steps, "loss": round(self._done.losses[-1], 5), "tokens": self._done.tokens}
                log.write(json.dumps(said) + "\n")
                log.flush()
                if self._done.steps % self._options.checkpoint_every == 0 or self._done.steps == self.steps:
                    self._keep()
                on_step(self._done.steps, self.steps, self._done.losses[-1])
        return self._done

    def _steps_before(self, path: Path) -> list[str]:
        """The lines of the steps up to the checkpoint; those after it are done again."""
        if not self._done.steps:
            return []
        try:
            known = path.read_text(encoding="utf-8").splitlines()[: self._done.steps]
        except (OSError, UnicodeDecodeError) as fault:
            raise DataError(f"{path}: the steps so far cannot be read ({fault}); {_ANEW}") from None
        if len(known) < self._done.steps:
            raise DataError(
                f"{path}: found {len(known):,} steps, and {CHECKPOINT} was made after {self._done.steps:,}; {_ANEW}"
            )
        return known

    def _step(self) -> None:
        began, options, scenes = time.monotonic(), self._options, self._scenes
        number = self._done.steps
        for group in self._adam.param_groups:
            group["lr"] = options.learning_rate * _rate(number, self.steps)
        self._network.model.train()
        lists, tokens, decisions, loss = scenes.lists, 0, 0, 0.0
        chosen = self._chosen(number)
        for scene in chosen.tolist():  # one at a time: on a CPU padding and wide masks cost more than they save
            listed = lists.listed[scene]
            row = lay(self._prompts.tree(scene, lists.items[scene][listed].tolist()))
            real = torch.from_numpy(lists.positive[scene][listed]).to(self._network.device)
            part = self._loss(row, real)
            (part / len(chosen)).backward()
            loss += float(part.detach()) / len(chosen)
            tokens, decisions = tokens + len(row.tokens), decisions + len(row.answers)
        if not math.isfinite(loss):
            raise DataError(
                f"the loss of step {number + 1} is {loss}, and nothing can be learned from it; lower "
                "training.learning_rate, and train anew"
            )
        torch.nn.utils.clip_grad_norm_(self._changing.values(), _LONGEST_GRADIENT)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        done = self._done
        self._done = Trained(
            number + 1,
            done.tokens + tokens,
            done.decisions + decisions,
            done.seconds + time.monotonic() - began,
            (*done.losses, loss),
        )

    def _loss(self, row: Row, real: torch.Tensor) -> torch.Tensor:
        """Of one scene."""
        options = self._options
        before = None if options.preference is None else self._network.reference(row)
        said = self._network.answer(row)
        loss = loss_of_scene(said, real, options.choice_weight, options.answer_weight)
        if options.preference is None or before is None:
            return loss
        return loss + options.preference.weight * preference_loss(said.log_odds, before, real, options.preference.beta)

    def _chosen(self, step: int) -> IntArray:
        """The scenes of a step, a function of seed and step alone."""
        size, n_scenes = self._options.scenes_per_step, len(self._scenes)
        a_pass = math.ceil(n_scenes / size)
        order = np.random.default_rng((self._seed, step // a_pass)).permutation(n_scenes)
        return order[step % a_pass * size : (step % a_pass + 1) * size]

    def _keep(self) -> None:
        """Write the checkpoint, whole or not at all."""
        done = self._done
        state: dict[str, Any] = {
            "identity": self._identity,
            "weights": {name: each.detach().cpu() for name, each in self._changing.items()},
            "adam": self._adam.state_dict(),
            "done": {
                "steps": done.steps,
                "tokens": done.tokens,
                "decisions": done.decisions,
                "seconds": done.seconds,
                "losses": list(done.losses),
            },
        }
        half = self._directory / _HALF
        torch.save(state, half)
        half.replace(self._directory / CHECKPOINT)


def _rate(step: int, steps: int) -> float:
    """The share of the highest learning rate at a step: up in a straight line, then down to a tenth along a cosine."""
    rise = max(int(_RISE * steps), 1)
    if step < rise:
        return (step + 1) / rise
    way = (step - rise) / max(steps - rise, 1)
    return _LOWEST + (1 - _LOWEST) * 0.5 * (1 + math.cos(math.pi * way))
