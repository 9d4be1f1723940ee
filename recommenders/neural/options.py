"""Kinds of options that networks share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
"""PyTorch takes no larger one."""

LearningRate: TypeAlias = Annotated[float, Field(gt=0, le=10)]
"""Of Adam, which moves a weight by about so much in a step."""

Length: TypeAlias = Annotated[int, Field(ge=2, le=1_000)]
NetworkWidth: TypeAlias = Annotated[int, Field(ge=1, le=1_024)]
Blocks: TypeAlias = Annotated[int, Field(ge=1, le=12)]
Heads: TypeAlias = Annotated[int, Field(ge=1, le=1_024)]
BatchSize: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Negatives: TypeAlias = Annotated[int, Field(ge=1, le=100_000)]
Patience: TypeAlias = Annotated[int, Field(ge=1, le=10_000)]
Dropout: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
MaskShare: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
