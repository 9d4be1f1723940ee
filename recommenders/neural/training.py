"""How `sasrec`, `bert4rec` and `semantic_ids` are trained, by PyTorch on one thread; equal seeds give equal numbers.

The last item of up to `VALIDATION_USERS` users is kept back from training, and training stops when it is predicted no
better for `patience` epochs; the best epoch's weights are kept. Histories alone decide that, nothing held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.recommenders.neural.codes import ItemCodes
from groundlings.recommenders.neural.sequences import Sequences, hidden_items
from groundlings.recommenders.neural.transformer import (
    ROWS_AT_ONCE,
    Shape,
    Weights,
    asked_rows,
    initial_weights,
    states,
)

VALIDATION_USERS = 1_000
_FEWEST_ITEMS = 3
"""Of a user whose last item is kept back."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a network is trained.

    Attributes:
        negatives: Items drawn for each batch, which the right ones are compared with; None = all items.
        mask_share: Items that `bert4rec` hides in training.
        dropout: Numbers left out at random.
        learning_rate: Of Adam.
        batch_size: Rows of a step.
        epochs: At most.
        patience: Epochs without a better one before it stops.
        seed: Of all draws.
    """

    negatives: int | None
    mask_share: float
    dropout: float
    learning_rate: float
    batch_size: int
    epochs: int
    patience: int
    seed: int


class _Torch:
    """See `transformer.Library`."""

    def __init__(self, dropout: float) -> None:
        self.dropout = dropout

    def look_up(self, table: torch.Tensor, rows: IntArray) -> torch.Tensor:
        return functional.embedding(torch.from_numpy(rows), table)

    def softmax(self, scores: torch.Tensor, hidden: BoolArray) -> torch.Tensor:
        return scores.masked_fill(torch.from_numpy(hidden), -torch.inf).softmax(dim=-1)

    def normalise(self, values: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(values, scale.shape, scale, shift, eps=1e-8)

    def relu(self, values: torch.Tensor) -> torch.Tensor:
        return values.relu()

    def gelu(self, values: torch.Tensor) -> torch.Tensor:
        return functional.gelu(values, approximate="tanh")

    def drop(self, values: torch.Tensor) -> torch.Tensor:
        return functional.dropout(values, self.dropout) if self.dropout else values


def trained(shape: Shape, training: Training, sequences: Sequences, repeats: bool) -> tuple[Weights, FloatArray]:
    """The weights of the best epoch, and NDCG@10 of the items kept back after each epoch.

    Args:
        shape: The form of the network.
        training: How.
        sequences: What users chose.
        repeats: Whether users choose items again; where they do not, an item of the history is no competitor.
    """
    rng = np.random.default_rng([training.seed, 1])
    kept, users, targets = _kept_back(sequences, rng)
    rows = kept.windows(shape.length + 1 if shape.style == "sasrec" else shape.length)

    def quality(learnt: dict[str, torch.Tensor]) -> float:
        return _quality(shape, learnt, kept, users, targets, repeats)

    return _optimised(shape, training, rows, quality, rng)


def trained_on_codes(
    shape: Shape, training: Training, sequences: Sequences, codes: ItemCodes
) -> tuple[Weights, FloatArray]:
    """The weights of the best epoch, and the mean log chance of the items kept back after each epoch.

    Args:
        shape: The form of a network over tokens, of style "sasrec": its length is that of all tokens of a row of items
            and of the next item, less its last token.
        training: How.
        sequences: What users chose.
        codes: Of the items.
    """
    rng = np.random.default_rng([training.seed, 1])
    kept, users, targets = _kept_back(sequences, rng)
    n_items = (shape.length + 1) // codes.depth
    rows = codes.rows(kept.windows(n_items))
    asked = codes.rows(np.column_stack([kept.latest(users, n_items - 1), targets]))

    def quality(learnt: dict[str, torch.Tensor]) -> float:
        return _chance(shape, learnt, asked, codes.depth)

    return _optimised(shape, training, rows, quality, rng)


def _kept_back(sequences: Sequences, rng: np.random.Generator) -> tuple[Sequences, IntArray, IntArray]:
    """The sequences less the last item of some users, these users, and these items."""
    able = np.flatnonzero(sequences.lengths >= _FEWEST_ITEMS)
    users = np.sort(rng.permutation(able)[:VALIDATION_USERS])
    kept, targets = sequences.without_last(users)
    return kept, users, targets


def _optimised(
    shape: Shape,
    training: Training,
    rows: IntArray,
    quality: Callable[[dict[str, torch.Tensor]], float],
    rng: np.random.Generator,
) -> tuple[Weights, FloatArray]:
    """The weights of the best epoch, and the quality of each, more being better."""
    weights = initial_weights(shape, training.seed)
    measured: list[float] = []
    if not len(rows):
        return weights, np.zeros(0)
    with alone(training.seed):
        learnt = {name: torch.from_numpy(values.copy()).requires_grad_() for name, values in weights.items()}
        optimiser = torch.optim.Adam(list(learnt.values()), lr=training.learning_rate)
        for _ in range(training.epochs):
            for batch in _batches(rows, training.batch_size, rng):
                optimiser.zero_grad()
                _loss(shape, training, learnt, batch, rng).backward()
                optimiser.step()
            measured.append(quality(learnt))
            refuse_diverged(learnt, measured, training.learning_rate)
            best = int(np.argmax(measured))
            if best == len(measured) - 1:
                weights = {name: values.detach().numpy().copy() for name, values in learnt.items()}
            if len(measured) - best > training.patience:
                break
    return weights, np.array(measured)


def refuse_diverged(learnt: Mapping[str, torch.Tensor], measured: Sequence[float], learning_rate: float) -> None:
    """Return if what a network has learnt are numbers.

    Args:
        learnt: Its weights.
        measured: Quality after each epoch so far, NaN where the network gave no number.
        learning_rate: For the message.

    Raises:
        ConfigError: They are not: no list could be made of them.
    """
    if not (math.isfinite(measured[-1]) and all(bool(torch.isfinite(each).all()) for each in learnt.values())):
        raise ConfigError(
            f"learning_rate: found {learning_rate:g}, with which the network is beyond all numbers after epoch "
            f"{len(measured)}; lower it"
        )


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """One thread, deterministic algorithms and own random numbers; all as before afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)


def _batches(rows: IntArray, size: int, rng: np.random.Generator) -> Iterator[IntArray]:
    order = rng.permutation(len(rows))
    for first in range(0, len(rows), size):
        yield rows[order[first : first + size]]


def _loss(
    shape: Shape, training: Training, learnt: dict[str, torch.Tensor], rows: IntArray, rng: np.random.Generator
) -> torch.Tensor:
    if shape.style == "sasrec":
        asked, targets = rows[:, :-1], rows[:, 1:]
        where = asked != shape.padding
    else:
        where = hidden_items(rows, shape.padding, training.mask_share, rng)
        asked, targets = np.where(where, shape.mask, rows), rows
    found = states(_Torch(training.dropout), learnt, shape, np.ascontiguousarray(asked))[torch.from_numpy(where)]
    right = torch.from_numpy(targets[where])
    if training.negatives is None:
        return functional.cross_entropy(_scores(learnt, found, shape.n_items), right)
    count = min(training.negatives, shape.n_items - 1)
    drawn = torch.from_numpy(rng.choice(shape.n_items, count, replace=False))
    return _sampled_loss(learnt, found, right, drawn)


def _scores(learnt: dict[str, torch.Tensor], found: torch.Tensor, n_items: int) -> torch.Tensor:
    scores = found @ learnt["items"][:n_items].T
    return scores + learnt["item_bias"] if "item_bias" in learnt else scores


def _sampled_loss(
    learnt: dict[str, torch.Tensor], found: torch.Tensor, right: torch.Tensor, drawn: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of the right items among themselves and the drawn ones, which a batch shares."""
    table = learnt["items"]
    good = (found * functional.embedding(right, table)).sum(dim=-1, keepdim=True)
    bad = found @ functional.embedding(drawn, table).T
    bad = bad.masked_fill(drawn[None] == right[:, None], -torch.inf)  # it is there once already
    scores = torch.cat([good, bad], dim=1)
    return functional.cross_entropy(scores, torch.zeros(len(right), dtype=torch.int64))


def _quality(
    shape: Shape,
    learnt: dict[str, torch.Tensor],
    kept: Sequences,
    users: IntArray,
    targets: IntArray,
    repeats: bool,
) -> float:
    """NDCG@10 of the items kept back among all items, or among those that are new to the user."""
    gains = []
    with torch.no_grad():
        for first in range(0, len(users), ROWS_AT_ONCE):
            some, target = users[first : first + ROWS_AT_ONCE], targets[first : first + ROWS_AT_ONCE]
            found = states(_Torch(0.0), learnt, shape, asked_rows(shape, kept, some))[:, -1]
            scores = _scores(learnt, found, shape.n_items).numpy()
            if not np.isfinite(scores).all():
                return math.nan  # what is compared with NaN is never better
            own = np.take_along_axis(scores, target[:, None], axis=1)
            better = scores > own
            if not repeats:
                places = np.repeat(np.arange(len(some)), kept.lengths[some])
                better[places, np.concatenate([kept.items[kept.starts[u] : kept.starts[u + 1]] for u in some])] = False
            rank = better.sum(axis=1)
            gains.append(np.where(rank < 10, 1 / np.log2(rank + 2), 0.0))
    return float(np.concatenate(gains).mean()) if gains else 0.0


def _chance(shape: Shape, learnt: dict[str, torch.Tensor], rows: IntArray, depth: int) -> float:
    """The mean log chance of the last item of rows of tokens, that of its tokens together."""
    chances = []
    with torch.no_grad():
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            found = states(_Torch(0.0), learnt, shape, np.ascontiguousarray(part[:, :-1]))[:, -depth:]
            told = _scores(learnt, found, shape.n_items).log_softmax(dim=-1)
            right = torch.from_numpy(np.ascontiguousarray(part[:, -depth:]))
            chances.append(told.gather(2, right[:, :, None])[:, :, 0].sum(dim=1).numpy())
    return float(np.concatenate(chances).mean()) if chances else 0.0
