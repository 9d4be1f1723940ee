"""What an experiment file may say of how ties move each other's interests: the key `mind.social.opinions`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from groundlings.personas.social.log_odds import LogOdds


class _Stated(BaseModel):
    """A model of opinions whose parameters are stated, and estimated on nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weight: LogOdds
    """What a whole unit of a category's share, more than at the start, adds to the log-odds of opening an item of that
    category. There is no default."""
    experience: float = Field(default=0.0, ge=0, le=1)
    """How far an opinion moves, each day, to the categories of what the agent liked that day; at 0 lists of an arm
    change no opinion."""


class DeGroot(_Stated):
    """Everybody takes, day by day, a weighted mean of its own opinion and those of its ties (DeGroot 1974)."""

    model: Literal["degroot"]
    """`degroot`."""
    trust: float = Field(ge=0, le=1)
    """Weight of the ties' mean opinion; the agent's own has the rest."""


class FriedkinJohnsen(_Stated):
    """As DeGroot, and everybody is held by the opinion that it began with (Friedkin and Johnsen 1990)."""

    model: Literal["friedkin_johnsen"]
    """`friedkin_johnsen`."""
    trust: float = Field(ge=0, le=1)
    """Weight of the ties' mean opinion within what is heard; the agent's own of today has the rest."""
    susceptibility: float = Field(ge=0, le=1)
    """Weight of what is heard; the first opinion has the rest."""


class BoundedConfidence(_Stated):
    """Everybody takes the mean of its own opinion and of its ties' that are near (Hegselmann and Krause 2002)."""

    model: Literal["bounded_confidence"]
    """`bounded_confidence`."""
    confidence: float = Field(ge=0, le=1)
    """How far an opinion may be away and still count: the share of one's interest that lies elsewhere (half the sum of
    absolute differences), 0 for the same opinion and 1 for nothing in common."""


OpinionOptions = Annotated[DeGroot | FriedkinJohnsen | BoundedConfidence, Field(discriminator="model")]
"""How ties move each other's opinions."""
