"""The real people behind a data set: what they said of themselves, nothing more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class People:
    """One row per user.

    Attributes:
        user_ids: The data set's own ids, unique.
        attributes: For each user what is known, name -> value ("age" -> "24"); what is unknown is absent.
    """

    user_ids: tuple[str, ...]
    attributes: tuple[dict[str, str], ...]

    def __len__(self) -> int:
        return len(self.user_ids)
