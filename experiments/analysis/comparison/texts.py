"""A text of each agent, with each different text once: of a million agents few say what nobody else says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray


class Texts(Sequence[str]):
    """See the module; "" is the text of agents of whom nothing is known.

    Args:
        codes: Place of each agent's text, shape (n,).
        values: Texts; one may be there twice, and one that nobody has is forgotten.

    Attributes:
        codes: As given, among the different texts.
        values: The different texts, in the order in which agents first have them.
    """

    def __init__(self, codes: IntArray, values: Sequence[str]) -> None:
        place: dict[str, int] = {}
        codes = np.array([place.setdefault(value, len(place)) for value in values], dtype=np.int64)[codes]
        first = np.full(len(place), len(codes))
        first[codes[::-1]] = np.arange(len(codes))[::-1]  # of the places of a text the one written last, its first
        order = np.argsort(first)
        renumbered = np.empty(len(place), dtype=np.int64)
        renumbered[order] = np.arange(len(place))
        texts, had = tuple(place), int((first < len(codes)).sum())
        self.codes: IntArray = renumbered[codes]
        self.values = tuple(texts[each] for each in order[:had].tolist())

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """The same texts, one per agent."""
        if isinstance(texts, Texts):
            return texts
        place: dict[str, int] = {}
        codes = np.fromiter((place.setdefault(text, len(place)) for text in texts), dtype=np.int64)
        return cls(codes, tuple(place))

    @classmethod
    def of_numbers(cls, numbers: FloatArray, name: Callable[[float], str]) -> Texts:
        """What stands for a number of each agent, shape (n,); "" where it is not known (NaN)."""
        different, codes = np.unique(numbers, return_inverse=True)
        return cls(codes, ["" if np.isnan(number) else name(number) for number in different.tolist()])

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, place: Any) -> Any:
        return Texts(self.codes[place], self.values) if isinstance(place, slice) else self.values[self.codes[place]]

    def __iter__(self) -> Iterator[str]:
        return map(self.values.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts) and self.values == other.values and np.array_equal(self.codes, other.codes)

    __hash__ = None  # type: ignore[assignment]

    @property
    def known(self) -> tuple[str, ...]:
        """The different texts without ""."""
        return tuple(value for value in self.values if value)

    def counts(self) -> Mapping[str, int]:
        """Text -> how many agents have it."""
        return dict(zip(self.values, np.bincount(self.codes, minlength=len(self.values)).tolist(), strict=True))

    def are(self, text: str) -> BoolArray:
        """Which agents have a text, shape (n,)."""
        return self.codes == (self.values.index(text) if text in self.values else -1)

    def numbers(self, number: Callable[[str], float]) -> FloatArray:
        """A number of each agent's text, shape (n,)."""
        return np.array([number(value) for value in self.values], dtype=np.float64)[self.codes]

    def renamed(self, name: Callable[[str], str]) -> Texts:
        """Another text in the place of each."""
        return Texts(self.codes, [name(value) for value in self.values])
