"""Items generated code by code: a beam search over the tokens that a network tells, by numpy.

A user is looked at alone, so a list is the same to the last bit whoever is asked in the same request. What the network
made of the history is kept, and each step computes the new tokens only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.recommenders.neural.transformer import Numpy, Shape, Weights

Floats = NDArray[np.float32]
_NUMPY = Numpy()


@dataclass(frozen=True, slots=True)
class Read:
    """What the network has read: keys and values of each block, shape (n, heads, places, width per head)."""

    keys: tuple[Floats, ...]
    values: tuple[Floats, ...]

    def of(self, rows: IntArray) -> Read:
        """What some rows have read."""
        return Read(tuple(each[rows] for each in self.keys), tuple(each[rows] for each in self.values))


class Reader:
    """A trained network of style "sasrec" that reads token by token.

    Args:
        weights: By name, as `transformer.initial_weights` has them.
        shape: Its form.
    """

    def __init__(self, weights: Weights, shape: Shape) -> None:
        self.shape = shape
        self._tokens, self._places = weights["items"], weights["places"]
        self._last = weights["last_scale"], weights["last_shift"]
        self._blocks: list[Mapping[str, Floats]] = [
            {name.partition(".")[2]: weights[name] for name in weights if name.startswith(f"{block}.")}
            for block in range(shape.blocks)
        ]

    def history(self, tokens: IntArray, end: int) -> tuple[Floats, Read]:
        """What the network makes of the last token of a history, shape (1, width), and what it has read.

        Args:
            tokens: In order, shape (n,), at least one.
            end: The place behind the last.
        """
        values = self._embedded(tokens, np.arange(end - len(tokens), end))[None]
        later = np.triu(np.ones((len(tokens), len(tokens)), dtype=np.bool_), k=1)
        keys, held = [], []
        for own in self._blocks:
            asking = _NUMPY.normalise(values, own["first_scale"], own["first_shift"])
            keys.append(self._split(values @ own["key"]))
            held.append(self._split(values @ own["value"]))
            scores = self._split(asking @ own["query"]) @ keys[-1].swapaxes(2, 3) * self._scale
            mixed = _NUMPY.softmax(scores, later) @ held[-1]
            values = self._fed(own, asking + self._joined(mixed) @ own["out"])
        return _NUMPY.normalise(values[:, -1], *self._last), Read(tuple(keys), tuple(held))

    def next(self, tokens: IntArray, place: int, history: Read, own: Read | None) -> tuple[Floats, Read]:
        """What the network makes of one further token of each row, shape (n, width), and what rows have read.

        Args:
            tokens: Of each row, shape (n,).
            place: Where they stand.
            history: What all rows have read, one row.
            own: What each row has read after it; None before the first token.
        """
        values = self._embedded(tokens, np.array([place]))[:, None]
        keys, held = [], []
        for block, weights in enumerate(self._blocks):
            asking = _NUMPY.normalise(values, weights["first_scale"], weights["first_shift"])
            new_keys, new_held = (self._split(values @ weights[name]) for name in ("key", "value"))
            keys.append(new_keys if own is None else np.concatenate([own.keys[block], new_keys], axis=2))
            held.append(new_held if own is None else np.concatenate([own.values[block], new_held], axis=2))
            queries = self._split(asking @ weights["query"])
            before = queries[:, :, 0].swapaxes(0, 1) @ history.keys[block][0].swapaxes(1, 2)  # heads, n, places
            after = queries @ keys[-1].swapaxes(2, 3)
            scores = np.concatenate([before.swapaxes(0, 1), after[:, :, 0]], axis=2) * self._scale
            shares = _NUMPY.softmax(scores, np.zeros(1, dtype=np.bool_))
            read = before.shape[2]
            mixed = (shares[:, :, :read].swapaxes(0, 1) @ history.values[block][0]).swapaxes(0, 1)[:, :, None]
            mixed = mixed + shares[:, :, None, read:] @ held[-1]
            values = self._fed(weights, asking + self._joined(mixed) @ weights["out"])
        return _NUMPY.normalise(values[:, 0], *self._last), Read(tuple(keys), tuple(held))

    def chances(self, found: Floats) -> FloatArray:
        """The logarithm of the chance of each next token, shape (n, vocabulary)."""
        scores = (found @ self._tokens[: self.shape.n_items].T).astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    @property
    def _scale(self) -> np.float32:
        return np.float32((self.shape.width // self.shape.heads) ** -0.5)

    def _embedded(self, tokens: IntArray, places: IntArray) -> Floats:
        return self._tokens[tokens] * np.float32(self.shape.width**0.5) + self._places[places]

    def _split(self, values: Floats) -> Floats:
        n, length, width = values.shape
        return values.reshape(n, length, self.shape.heads, width // self.shape.heads).swapaxes(1, 2)

    def _joined(self, values: Floats) -> Floats:
        n, heads, length, width = values.shape
        return values.swapaxes(1, 2).reshape(n, length, heads * width)

    def _fed(self, own: Mapping[str, Floats], values: Floats) -> Floats:
        values = _NUMPY.normalise(values, own["second_scale"], own["second_shift"])
        return values + (_NUMPY.relu(values @ own["in"] + own["in_bias"]) @ own["back"] + own["back_bias"])


class Tree(Protocol):
    """Which tokens may follow which."""

    def children(self, depth: int, nodes: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """What may follow some nodes at a depth: the parent's place in `nodes`, the token and the node of each."""
        ...


class Trie:
    """The codes of items, as a tree whose leaves are the items in the order of their codes.

    Args:
        tokens: Of each item that may be generated, in lexicographic order, shape (n, depth).
    """

    def __init__(self, tokens: IntArray) -> None:
        self._tokens = tokens
        changed = np.ones(tokens.shape, dtype=np.bool_)
        changed[1:] = tokens[1:] != tokens[:-1]
        self._begins: BoolArray = np.logical_or.accumulate(changed, axis=1)

    def children(self, depth: int, nodes: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """See `Tree.children`; the nodes of the last depth are rows of `tokens`."""
        starts = np.flatnonzero(self._begins[:, depth])
        numbers = np.arange(len(starts))
        parents = np.zeros(len(starts), dtype=np.int64)
        if depth:
            parents = np.cumsum(self._begins[:, depth - 1])[starts] - 1
        place = np.full(int(parents.max(initial=0)) + 1, -1)
        place[nodes] = np.arange(len(nodes))
        found = place[parents] >= 0
        return place[parents][found], self._tokens[starts[found], depth], numbers[found]


@dataclass(frozen=True, slots=True)
class Everything:
    """A tree in which each token may follow each: what a network would generate if nobody held its hand."""

    vocabulary: int

    def children(self, depth: int, nodes: IntArray) -> tuple[IntArray, IntArray, IntArray]:  # noqa: ARG002
        """See `Tree.children`."""
        n = len(nodes) * self.vocabulary
        parents, tokens = np.divmod(np.arange(n), self.vocabulary)
        return parents, tokens, np.arange(n)


@dataclass(frozen=True, slots=True)
class Beam:
    """What a search found, the likeliest first.

    Attributes:
        nodes: Of the tree, at the last depth.
        tokens: Shape (n, depth).
        scores: The logarithm of the chance of each, summed over its tokens.
    """

    nodes: IntArray
    tokens: IntArray
    scores: FloatArray


def search(reader: Reader, history: tuple[Floats, Read], tree: Tree, depth: int, width: int, place: int) -> Beam:
    """The `width` likeliest sequences of tokens behind a history, as a beam search finds them.

    Where a tree has fewer leaves, all are found. Equal chances go by the order of the tree.

    Args:
        reader: The network.
        history: What `Reader.history` gave.
        tree: Which tokens may follow which.
        depth: Tokens of a sequence.
        width: Sequences that are kept at each depth.
        place: Where the first token stands.
    """
    found, read = history
    own: Read | None = None
    beam = Beam(np.zeros(1, dtype=np.int64), np.zeros((1, 0), dtype=np.int64), np.zeros(1))
    for step in range(depth):
        if step:
            found, own = reader.next(beam.tokens[:, -1], place + step - 1, read, own)
        chances = reader.chances(found)
        parents, tokens, nodes = tree.children(step, beam.nodes)
        scores = beam.scores[parents] + chances[parents, tokens]
        best = np.argsort(-scores, kind="stable")[:width]
        parents = parents[best]
        beam = Beam(nodes[best], np.column_stack([beam.tokens[parents], tokens[best]]), scores[best])
        own = None if own is None else own.of(parents)
    return beam
