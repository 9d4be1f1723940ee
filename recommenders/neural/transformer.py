"""The network of `sasrec` and `bert4rec`: blocks of self-attention over a sequence of items.

`states` is written once for both libraries: PyTorch calls it in training, numpy when a list is made. numpy multiplies
the matrices of each sequence by themselves, so a user's vector is the same to the last bit whoever is asked with them,
which PyTorch does not promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.recommenders.neural.sequences import Sequences

Tensor: TypeAlias = Any
"""An array of numpy or a tensor of PyTorch."""

Weights: TypeAlias = dict[str, NDArray[np.float32]]
"""Learnt numbers by name."""

Style = Literal["sasrec", "bert4rec"]

ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of a network.

    Attributes:
        style: "sasrec" looks at what came before only, and normalises before attention; "bert4rec" looks at both sides,
            normalises after attention, and has a projection before the items.
        n_items: Items; two further rows of their table stand for a filled-up place and for a hidden item.
        length: Places of a sequence.
        width: Numbers of a vector; a multiple of `heads`.
        blocks: Layers of attention.
        heads: Attention heads of a layer.
    """

    style: Style
    n_items: int
    length: int
    width: int
    blocks: int
    heads: int

    @property
    def padding(self) -> int:
        """The number that fills up a row."""
        return self.n_items

    @property
    def mask(self) -> int:
        """The number of a hidden item."""
        return self.n_items + 1

    @property
    def inner_width(self) -> int:
        """Numbers between the two layers of a block's feed-forward network, as in each paper."""
        return self.width if self.style == "sasrec" else 4 * self.width


class Library(Protocol):
    """What numpy and PyTorch write differently."""

    def look_up(self, table: Tensor, rows: IntArray) -> Tensor:
        """Rows of a table."""
        ...

    def softmax(self, scores: Tensor, hidden: BoolArray) -> Tensor:
        """Shares over the last axis, 0 where hidden."""
        ...

    def normalise(self, values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Mean 0 and variance 1 over the last axis, then scaled and shifted."""
        ...

    def relu(self, values: Tensor) -> Tensor:
        """Rectified linear unit."""
        ...

    def gelu(self, values: Tensor) -> Tensor:
        """Gaussian error linear unit, by its tanh approximation."""
        ...

    def drop(self, values: Tensor) -> Tensor:
        """Dropout, in training."""
        ...


class Numpy:
    """See `Library`."""

    def look_up(self, table: Tensor, rows: IntArray) -> Tensor:
        """See `Library.look_up`."""
        return table[rows]

    def softmax(self, scores: Tensor, hidden: BoolArray) -> Tensor:
        """See `Library.softmax`."""
        scores = np.where(hidden, np.float32(-np.inf), scores)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return scores / scores.sum(axis=-1, keepdims=True)

    def normalise(self, values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """See `Library.normalise`."""
        values = values - values.mean(axis=-1, keepdims=True)
        variance = (values * values).mean(axis=-1, keepdims=True)
        return values / np.sqrt(variance + np.float32(SMALL)) * scale + shift

    def relu(self, values: Tensor) -> Tensor:
        """See `Library.relu`."""
        return np.maximum(values, np.float32(0))

    def gelu(self, values: Tensor) -> Tensor:
        """See `Library.gelu`."""
        inner = np.float32(np.sqrt(2 / np.pi)) * (values + np.float32(0.044715) * values * values * values)
        return np.float32(0.5) * values * (np.float32(1) + np.tanh(inner))

    def drop(self, values: Tensor) -> Tensor:
        """Nothing is dropped when lists are made."""
        return values


SMALL = 1e-8
"""Added to a variance."""


def initial_weights(shape: Shape, seed: int) -> Weights:
    """Vectors and matrices of small normal numbers, biases of 0, scales of 1."""
    rng = np.random.default_rng(seed)
    width, inner = shape.width, shape.inner_width

    def normal(*size: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.02, size).astype(np.float32)

    weights = {"items": normal(shape.n_items + 2, width), "places": normal(shape.length, width)}
    names = [f"{block}." for block in range(shape.blocks)]
    for name in names:
        weights |= {f"{name}{of}": normal(width, width) for of in ("query", "key", "value", "out")}
        weights |= {f"{name}in": normal(width, inner), f"{name}in_bias": np.zeros(inner, dtype=np.float32)}
        weights |= {f"{name}back": normal(inner, width), f"{name}back_bias": np.zeros(width, dtype=np.float32)}
    for name in (*(f"{name}{of}" for name in names for of in ("first", "second")), "last"):
        weights[f"{name}_scale"] = np.ones(width, dtype=np.float32)
        weights[f"{name}_shift"] = np.zeros(width, dtype=np.float32)
    if shape.style == "bert4rec":
        weights |= {"project": normal(width, width), "project_bias": np.zeros(width, dtype=np.float32)}
        weights["item_bias"] = np.zeros(shape.n_items, dtype=np.float32)
    return weights


def states(library: Library, weights: Mapping[str, Tensor], shape: Shape, rows: IntArray) -> Tensor:
    """What the network makes of each place of each sequence, shape (n, length, width).

    Its product with an item's vector, plus the item's bias where there is one, is the item's score for that place.

    Args:
        library: numpy or PyTorch.
        weights: By name, as `initial_weights` has them.
        shape: The form.
        rows: Item numbers, filled up in front, shape (n, length).
    """
    hidden = _hidden(shape, rows)
    values = library.look_up(weights["items"], rows)
    if shape.style == "sasrec":
        values = values * shape.width**0.5
    values = library.drop(values + weights["places"])
    for block in range(shape.blocks):
        own = {name.partition(".")[2]: weights[name] for name in weights if name.startswith(f"{block}.")}
        values = (_sasrec_block if shape.style == "sasrec" else _bert_block)(library, own, shape, values, hidden)
    if shape.style == "bert4rec":
        values = library.gelu(values @ weights["project"] + weights["project_bias"])
    return library.normalise(values, weights["last_scale"], weights["last_shift"])


def vectors(weights: Weights, shape: Shape, rows: IntArray) -> NDArray[np.float32]:
    """What the network makes of the last place of each sequence, shape (n, width); arguments as of `states`."""
    found = np.empty((len(rows), shape.width), dtype=np.float32)
    with threadpool_limits(1, "blas"):
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            found[part] = states(Numpy(), weights, shape, rows[part])[:, -1]
    return found


def asked_rows(shape: Shape, sequences: Sequences, users: IntArray) -> IntArray:
    """What the network is given to tell the next item of some users, shape (n, length)."""
    if shape.style == "sasrec":
        return sequences.latest(users, shape.length)
    rows = sequences.latest(users, shape.length - 1)
    return np.concatenate([rows, np.full((len(users), 1), shape.mask)], axis=1)


def _hidden(shape: Shape, rows: IntArray) -> BoolArray:
    """Which places a place must not look at, shape (n, 1, length, length); it may always look at itself."""
    hidden = np.repeat((rows == shape.padding)[:, None, None, :], shape.length, axis=2)
    if shape.style == "sasrec":
        hidden |= np.triu(np.ones((shape.length, shape.length), dtype=np.bool_), k=1)
    places = np.arange(shape.length)
    hidden[:, :, places, places] = False
    return hidden


def _sasrec_block(
    library: Library, own: Mapping[str, Tensor], shape: Shape, values: Tensor, hidden: BoolArray
) -> Tensor:
    queries = library.normalise(values, own["first_scale"], own["first_shift"])
    values = queries + library.drop(_attention(library, own, shape, queries, values, hidden))
    values = library.normalise(values, own["second_scale"], own["second_shift"])
    inner = library.drop(library.relu(values @ own["in"] + own["in_bias"]))
    return values + library.drop(inner @ own["back"] + own["back_bias"])


def _bert_block(library: Library, own: Mapping[str, Tensor], shape: Shape, values: Tensor, hidden: BoolArray) -> Tensor:
    values = values + library.drop(_attention(library, own, shape, values, values, hidden))
    values = library.normalise(values, own["first_scale"], own["first_shift"])
    inner = library.gelu(values @ own["in"] + own["in_bias"])
    values = values + library.drop(inner @ own["back"] + own["back_bias"])
    return library.normalise(values, own["second_scale"], own["second_shift"])


def _attention(
    library: Library, own: Mapping[str, Tensor], shape: Shape, asking: Tensor, asked: Tensor, hidden: BoolArray
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017), heads side by side."""
    n, length, width = asked.shape
    heads = (n, length, shape.heads, width // shape.heads)
    queries, keys, held = (
        (values @ own[name]).reshape(heads).swapaxes(1, 2)
        for values, name in ((asking, "query"), (asked, "key"), (asked, "value"))
    )
    scores = queries @ keys.swapaxes(2, 3) * heads[-1] ** -0.5
    mixed = library.drop(library.softmax(scores, hidden)) @ held
    return mixed.swapaxes(1, 2).reshape((n, length, width)) @ own["out"]
