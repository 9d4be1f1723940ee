"""How `text_graph` is trained, by PyTorch on one thread; equal seeds give equal numbers.

One item of up to `VALIDATION_USERS` users is kept back from training, and training stops when it is ranked no better
for `patience` epochs; the best epoch's weights are kept, and map everybody with the whole graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn import functional

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.recommenders.latent import Factors
from groundlings.recommenders.neural.training import VALIDATION_USERS, alone, refuse_diverged

_FEWEST_ITEMS = 3
"""Of a user one of whose items is kept back."""

_Weights = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Contrast:
    """How the network is made and trained; see `TextGraphRecommender`."""

    factors: int
    layers: int
    temperature: float
    negatives: int
    learning_rate: float
    batch_size: int
    epochs: int
    patience: int
    seed: int


def mapped(matrix: sp.csr_array, texts: FloatArray, contrast: Contrast) -> tuple[Factors, Factors, FloatArray]:
    """Vectors of users and of items, rows of length 1, and NDCG@10 of the items kept back after each epoch.

    Args:
        matrix: Who chose what, shape (n_users, n_items).
        texts: Of the items, shape (n_items, n).
        contrast: How.
    """
    rng = np.random.default_rng([contrast.seed, 2])
    kept, users, targets = _kept_back(matrix, rng)
    learning, everything = _Graph(kept, texts), _Graph(matrix, texts)
    measured: list[float] = []
    with alone(contrast.seed):
        weights = _initial(learning.texts.shape[1], contrast.factors)
        best = {name: values.detach().clone() for name, values in weights.items()}
        optimiser = torch.optim.Adam(list(weights.values()), lr=contrast.learning_rate)
        person, item = (ends.astype(np.int64) for ends in kept.nonzero())
        for _ in range(contrast.epochs if len(person) else 0):
            order = rng.permutation(len(person))
            for first in range(0, len(order), contrast.batch_size):
                some = order[first : first + contrast.batch_size]
                drawn = rng.integers(matrix.shape[1], size=contrast.negatives)
                optimiser.zero_grad()
                _loss(learning.mapped(weights, contrast.layers), person[some], item[some], drawn, contrast).backward()
                optimiser.step()
            with torch.no_grad():
                measured.append(_quality(*learning.mapped(weights, contrast.layers), kept, users, targets))
            refuse_diverged(weights, measured, contrast.learning_rate)
            if np.argmax(measured) == len(measured) - 1:
                best = {name: values.detach().clone() for name, values in weights.items()}
            if len(measured) - int(np.argmax(measured)) > contrast.patience:
                break
        with torch.no_grad():
            people, items = everything.mapped(best, contrast.layers)
    return people.numpy(), items.numpy(), np.array(measured)


class _Graph:
    """Who chose what, and the text vectors at its ends."""

    def __init__(self, matrix: sp.csr_array, texts: FloatArray) -> None:
        self.n_users = matrix.shape[0]
        length = np.sqrt((texts**2).sum(axis=1).mean()) or 1.0
        of_items = texts / length
        chosen = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
        counts = np.maximum(chosen.sum(axis=1), 1.0)
        of_people = (chosen @ of_items) / counts[:, None]
        self.texts = torch.from_numpy(np.concatenate([of_people, of_items]).astype(np.float32))
        degree = np.concatenate([counts, np.maximum(chosen.sum(axis=0), 1.0)])
        person, item = (ends.astype(np.int64) for ends in chosen.nonzero())
        # Items come after the users, and each edge stands once in either direction.
        ends = np.concatenate([person, item + self.n_users]), np.concatenate([item + self.n_users, person])
        strength = (1 / np.sqrt(degree[ends[0]] * degree[ends[1]])).astype(np.float32)
        size = (len(degree), len(degree))
        values = torch.from_numpy(strength)
        self._edges = torch.sparse_coo_tensor(np.stack(ends), values, size, check_invariants=True).coalesce()

    def mapped(self, weights: _Weights, layers: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Users' and items' vectors of length 1: the mean of what the network says and of each step along the graph."""
        inner = functional.leaky_relu(self.texts @ weights["first"] + weights["first_bias"])
        step = total = inner @ weights["second"] + weights["second_bias"]
        for _ in range(layers):
            step = torch.sparse.mm(self._edges, step)
            total = total + step
        everybody = functional.normalize(total, dim=1)
        return everybody[: self.n_users], everybody[self.n_users :]


def _initial(n_inputs: int, factors: int) -> _Weights:
    """Random matrices by Glorot's rule, biases of zero; the inner layer is as wide as the outer one."""
    weights = {
        "first": torch.nn.init.xavier_uniform_(torch.empty(n_inputs, factors)) if n_inputs else torch.empty(0, factors),
        "first_bias": torch.zeros(factors),
        "second": torch.nn.init.xavier_uniform_(torch.empty(factors, factors)),
        "second_bias": torch.zeros(factors),
    }
    return {name: values.requires_grad_() for name, values in weights.items()}


def _loss(
    ends: tuple[torch.Tensor, torch.Tensor], person: IntArray, item: IntArray, drawn: IntArray, contrast: Contrast
) -> torch.Tensor:
    """InfoNCE: the cross-entropy of the chosen item among itself and the drawn ones, by cosine over temperature."""
    people = functional.embedding(torch.from_numpy(person), ends[0])
    right = torch.from_numpy(item)
    negatives = torch.from_numpy(drawn)
    good = (people * functional.embedding(right, ends[1])).sum(dim=1, keepdim=True)
    bad = people @ functional.embedding(negatives, ends[1]).T
    bad = bad.masked_fill(negatives[None] == right[:, None], -torch.inf)  # it is there once already
    scores = torch.cat([good, bad], dim=1) / contrast.temperature
    return functional.cross_entropy(scores, torch.zeros(len(right), dtype=torch.int64))


def _kept_back(matrix: sp.csr_array, rng: np.random.Generator) -> tuple[sp.csr_array, IntArray, IntArray]:
    """The matrix less one drawn item of some users, these users, and these items."""
    counts = np.diff(matrix.indptr)
    users = np.sort(rng.permutation(np.flatnonzero(counts >= _FEWEST_ITEMS))[:VALIDATION_USERS])
    cells = matrix.indptr[users] + rng.integers(counts[users])
    stays = np.ones(matrix.nnz, dtype=bool)
    stays[cells] = False
    person = np.repeat(np.arange(matrix.shape[0]), counts)[stays]
    kept = sp.csr_array((np.ones(len(person)), (person, matrix.indices[stays])), shape=matrix.shape)
    return kept, users, matrix.indices[cells].astype(np.int64)


def _quality(
    people: torch.Tensor, items: torch.Tensor, kept: sp.csr_array, users: IntArray, targets: IntArray
) -> float:
    """NDCG@10 of the items kept back, among all that are not in the history."""
    if not len(users):
        return 0.0
    scores = people.numpy()[users] @ items.numpy().T
    if not np.isfinite(scores).all():
        return math.nan  # what is compared with NaN is never better
    own = np.take_along_axis(scores, targets[:, None], axis=1)
    better = scores > own
    better[kept[users].nonzero()] = False
    rank = better.sum(axis=1)
    return float(np.where(rank < 10, 1 / np.log2(rank + 2), 0.0).mean())
