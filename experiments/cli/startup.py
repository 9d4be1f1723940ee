"""What lets a command start sooner, and end sooner."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager
from importlib import import_module

_OBJECTS_BEFORE_COLLECTING = 100_000
"""New objects after which Python looks for cycles; with its own 700 a tenth of a short command goes into looking
through modules that stay."""


def collect_seldom() -> None:
    """Let Python look for cycles less often."""
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTING, *gc.get_threshold()[1:])


def load_mesa() -> None:
    """Load Mesa first, because it then looks through all frames and modules, and there are few as yet."""
    import_module("groundlings.simulator.session_schedule")


def drawing_beside() -> AbstractContextManager[None]:
    """Let another process import what pictures need meanwhile, and draw them; see `report.studio`."""
    from groundlings.experiments.analysis.report import studio

    return studio.drawing_beside()
