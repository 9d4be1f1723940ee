"""How near two texts are: by their words, or by an embedding that an experiment names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np

from groundlings.environments import earlier_names
from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key

_WORD = re.compile(r"[^\W\d_]{3,}")
_EMPTY = frozenset(
    (
        "the",
        "and",
        "for",
        "with",
        "from",
        "not",
        "you",
        "more",
        "mostly",
        "page",
        "pages",
        "opened",
        "nothing",
        "stars",
        "end",
    )
)
"""Words of our own lines, and the commonest of all: they bring no two texts nearer."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into unit vectors; the same texts always into the same vectors.

    The constructor takes no arguments. The class is the place for a heavy library: it is imported only where an
    experiment names it.
    """

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of length 1 (or 0, for a text that says nothing), shape (n_texts, n_dimensions)."""
        ...


class LexicalEmbedder:
    """Counts words, by hash: two texts are near when they share words, "Heat" and "Drama" as well as "Western".

    The feature hashing of Weinberger, Dasgupta, Langford, Smola and Attenberg (2009, "Feature hashing for large
    scale multitask learning", ICML) without signs, so that no similarity is negative.
    """

    _WIDTH = 1024

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """See `Embedder.embed`."""
        vectors = np.zeros((len(texts), self._WIDTH))
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.lower()):
                if word not in _EMPTY:
                    vectors[row, name_key(word) % self._WIDTH] += 1
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=vectors, where=lengths > 0)


def load_embedder(name: str | None) -> Embedder:
    """The embedder that `module:Class` names, the lexical one without a name.

    Raises:
        ConfigError: There is no such class, or it cannot embed.
    """
    if name is None:
        return LexicalEmbedder()
    module, _, attribute = earlier_names.present_path(name).partition(":")
    try:
        made = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"memory.embedder: found {name!r}, expected module:Class of a class without arguments "
            f"({error}{earlier_names.hint(error)})"
        ) from None
    if not isinstance(made, Embedder):
        raise ConfigError(f"memory.embedder: {name} has no method embed(texts)")
    return made
