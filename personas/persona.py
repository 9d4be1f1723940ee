"""One simulated person, as far as their training history tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from groundlings.personas.acts import Act

Level = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Trait:
    """A measured trait, and the third of the population it falls in.

    Attributes:
        value: What was measured.
        level: The third; equal values stay together, so that thirds differ in size.
        compares: Whether the level tells of a strict majority: more than half have more (low) or less (high), and no
            value is that of more than half (medium).
    """

    value: float
    level: Level
    compares: bool = True


@dataclass(frozen=True, slots=True)
class Traits:
    """The social traits of Agent4Rec (Zhang et al. 2024, section 3.1.1); formulas in `groundlings.personas.profile`.

    Attributes:
        activity: How much the person uses the site.
        conformity: How close the person's ratings are to other people's; None without a rating.
        diversity: Number of genres in the user's history.
    """

    activity: Trait
    conformity: Trait | None
    diversity: Trait


@dataclass(frozen=True, slots=True)
class RatingStyle:
    """How a person uses the stars.

    Attributes:
        mean: Of the stars given; None without a rating.
        spread: Their standard deviation; None with fewer than two ratings.
        shares: Star value -> share of this person's ratings.
        ratings: How many ratings that is.
    """

    mean: float | None
    spread: float | None
    shares: Mapping[float, float]
    ratings: int


@dataclass(frozen=True, slots=True)
class Persona:
    """Measured on the training part of one real history; what is unknown is absent, nothing is invented.

    Attributes:
        user: Row number of the real person.
        user_id: The data set's own id.
        demographics: As the data set gives them.
        style: Rating style.
        traits: Activity, conformity, diversity.
        liked, disliked: Item numbers, most telling first.
        genre_lifts: (genre, share among the person's items / share among everybody's), highest first.
        history_length: Training interactions.
        acts: What the person did, the most frequent first; told where the data have kinds of events or no ratings,
            None elsewhere.
        description: The above in plain words, second person, by a fixed template.
    """

    user: int
    user_id: str
    demographics: Mapping[str, str]
    style: RatingStyle
    traits: Traits
    liked: tuple[int, ...]
    disliked: tuple[int, ...]
    genre_lifts: tuple[tuple[str, float], ...]
    history_length: int
    description: str
    acts: tuple[Act, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the log; item numbers are row numbers of the catalog."""
        style, traits = self.style, self.traits
        measured = {"activity": traits.activity, "conformity": traits.conformity, "diversity": traits.diversity}
        told = {} if self.acts is None else {"acts": [asdict(act) for act in self.acts]}
        return {
            "user_id": self.user_id,
            "demographics": dict(self.demographics),
            "style": {
                "mean": style.mean,
                "spread": style.spread,
                "shares": {f"{stars:g}": share for stars, share in style.shares.items()},
                "ratings": style.ratings,
            },
            "traits": {
                name: {"value": trait.value, "level": trait.level}
                for name, trait in measured.items()
                if trait is not None
            },
            "liked": list(self.liked),
            "disliked": list(self.disliked),
            "genre_lifts": dict(self.genre_lifts),
            "history_length": self.history_length,
            **told,
            "description": self.description,
        }
