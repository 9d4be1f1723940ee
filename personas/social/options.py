"""What an experiment file may say of ties and word of mouth: the key `mind.social`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.paths import NamedPath
from groundlings.personas.social.log_odds import LogOdds
from groundlings.personas.social.opinion_options import OpinionOptions
from groundlings.personas.social.spread_options import SpreadOptions


class _Generated(BaseModel):
    """Ties that nobody has."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SmallWorld(_Generated):
    """A ring in which some ties lead elsewhere (Watts and Strogatz 1998): friends of friends are friends."""

    generator: Literal["watts_strogatz"]
    """`watts_strogatz`."""
    neighbours: int = Field(default=10, ge=2, le=100_000, multiple_of=2)
    """Ties of each agent on the ring, half of them on either side."""
    rewired: float = Field(default=0.1, ge=0, le=1)
    """Share of the ties whose other end is an agent drawn at random."""


class ScaleFree(_Generated):
    """Agents join one after the other, and whoever has many ties gets more (Barabási and Albert 1999)."""

    generator: Literal["barabasi_albert"]
    """`barabasi_albert`."""
    begun: int = Field(default=5, ge=1, le=100_000)
    """Ties of an agent when it joins, to agents drawn in proportion to the ties that they have."""


class Homophily(_Generated):
    """Agents with similar real histories are more likely to have a tie (McPherson, Smith-Lovin and Cook 2001)."""

    generator: Literal["homophily"]
    """`homophily`."""
    begun: int = Field(default=5, ge=1, le=100_000)
    """Ties that each agent begins; it has those that others begin as well."""
    alike: float = Field(default=0.8, ge=0, le=1)
    """Share of them that go to the most similar of `candidates`, by the cosine of training histories; the others go to
    agents drawn at random."""
    candidates: int = Field(default=50, ge=1, le=100_000)
    """Agents, drawn at random, among whom an agent finds its like; at least `begun`."""

    @model_validator(mode="after")
    def _enough_candidates(self) -> Homophily:
        if self.candidates < self.begun:
            raise ValueError(f"candidates: found {self.candidates}, expected at least begun ({self.begun})")
        return self


def _origin(ties: Any) -> str | None:
    """Which member of the union is meant; None where none is."""
    if isinstance(ties, str | Path):
        return "table"
    name = ties.get("generator") if isinstance(ties, dict) else getattr(ties, "generator", None)
    return name if name in ("watts_strogatz", "barabasi_albert", "homophily") else None


TiesOrigin = Annotated[
    Annotated[NamedPath, Tag("table")]
    | Annotated[SmallWorld, Tag("watts_strogatz")]
    | Annotated[ScaleFree, Tag("barabasi_albert")]
    | Annotated[Homophily, Tag("homophily")],
    Discriminator(
        _origin,
        custom_error_type="ties_origin",
        custom_error_message="expected the path of a table of ties, or keys of which `generator` is watts_strogatz, "
        "barabasi_albert or homophily",
    ),
]
"""A table, or ties that are generated."""


class TiesOptions(BaseModel):
    """Who knows whom, and what is heard of that."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ties: TiesOrigin
    """A table with the columns `user` and `friend` (CSV, TSV or Parquet), from the file's own directory on, or ties
    that are generated: `watts_strogatz`, `barabasi_albert` or `homophily`."""
    days: int = Field(default=7, ge=1, le=1_000_000)
    """For how many days a mention, or a like that the site shows to friends, is remembered."""
    mention: float = Field(default=1.0, ge=0, le=1)
    """P(an item that was liked or disliked is mentioned to all ties of the agent), off the site."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of generated ties and of mentions. Replicates with other seeds of the run keep both."""


class SocialOptions(TiesOptions):
    """Who knows whom, and what it does to the log-odds of opening an item of which ties have told."""

    likes: LogOdds
    """Per log(1 + ties of whom the agent was told that they liked the item, by themselves or by the page). There is no
    default: `groundlings ties` measures an upper bound on real ties (docs/social.md)."""
    dislikes: LogOdds = 0.0
    """Per log(1 + ties who mentioned it because they disliked it), usually below 0."""
    spread: SpreadOptions | None = None
    """How word of an item spreads further, over agents who were never shown it: `independent_cascade`,
    `linear_threshold` or `bass`. If absent, agents hear of an item from those alone who liked it themselves."""
    opinions: OpinionOptions | None = None
    """How ties move each other's interests in categories: `degroot`, `friedkin_johnsen` or `bounded_confidence`. If
    absent, interests stay as the histories have them."""

    def log_odds(self, liked: IntArray, disliked: IntArray) -> FloatArray:
        """What it adds for items that so many ties liked and disliked, shape as both."""
        return np.asarray(self.likes * np.log1p(liked) + self.dislikes * np.log1p(disliked))
