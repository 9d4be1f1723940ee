"""How much of an answer is read; apart from the reading itself, because configurations are read without a client."""

from __future__ import annotations

MOST_BYTES = 4_000_000
"""Bytes of a body that are read unless a setting says otherwise: some hundred times the longest reply that is asked
for, and little enough to unpack and read in some hundredths of a second, while nothing else goes on."""
