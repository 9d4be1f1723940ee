"""How much a stated weight may add to the log-odds of opening an item."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

LogOdds = Annotated[float, Field(ge=-1000, le=1000)]
"""A weight of word of mouth or of opinions. Far within these bounds every probability is 0 or 1 already; a number
beyond them is a slip, and products of it would overflow."""
