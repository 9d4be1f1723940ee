"""What an experiment file may say of ties and word of mouth: the key `mind.social`."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.paths import NamedPath


class SmallWorld(BaseModel):
    """Ties that nobody has: a ring in which some ties lead elsewhere (Watts and Strogatz 1998)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    generator: Literal["watts_strogatz"]
    """`watts_strogatz`."""
    neighbours: int = Field(default=10, ge=2, multiple_of=2)
    """Ties of each agent on the ring, half of them on either side."""
    rewired: float = Field(default=0.1, ge=0, le=1)
    """Share of the ties whose other end is an agent drawn at random."""


class TiesOptions(BaseModel):
    """Who knows whom, and what is heard of that."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ties: NamedPath | SmallWorld
    """A table with the columns `user` and `friend` (CSV, TSV or Parquet), from the file's own directory on, or ties
    that are generated."""
    days: int = Field(default=7, ge=1)
    """For how many days a mention, or a like that the site shows to friends, is remembered."""
    mention: float = Field(default=1.0, ge=0, le=1)
    """P(an item that was liked or disliked is mentioned to all ties of the agent), off the site."""
    seed: int = Field(default=0, ge=0)
    """Of generated ties and of mentions. Replicates with other seeds of the run keep both."""


class SocialOptions(TiesOptions):
    """Who knows whom, and what it does to the log-odds of opening an item of which ties have told."""

    likes: float
    """Per log(1 + ties of whom the agent was told that they liked the item, by themselves or by the page). There is no
    default: `groundlings ties` measures an upper bound on real ties (docs/social.md)."""
    dislikes: float = 0.0
    """Per log(1 + ties who mentioned it because they disliked it), usually below 0."""

    def log_odds(self, liked: IntArray, disliked: IntArray) -> FloatArray:
        """What it adds for items that so many ties liked and disliked, shape as both."""
        return np.asarray(self.likes * np.log1p(liked) + self.dislikes * np.log1p(disliked))
