"""What is known of the replies that an interrupted run got before it is resumed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepliesSoFar:
    """Of the replies to one who asks; nothing where a run begins.

    Attributes:
        forms: The forms in which they came.
        models: The names of models that they gave.
    """

    forms: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()

    def __or__(self, other: RepliesSoFar) -> RepliesSoFar:
        return RepliesSoFar(self.forms | other.forms, self.models | other.models)


NONE_SO_FAR = RepliesSoFar()
