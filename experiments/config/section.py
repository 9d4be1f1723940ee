"""What all parts of a YAML file have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]
"""More than nothing and less than all."""


class Section(BaseModel):
    """A part of the experiment file: frozen, unknown keys refused."""

    # Values are kept out of messages: what stands in the wrong place may be a password. `loading` shows what it may.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)
