"""The one figure of a run that a progress bar shows: clicks per impression so far, recommender by recommender."""

from __future__ import annotations

from dataclasses import dataclass, field

from groundlings.experiments.running.events import SessionsWritten

_FEWEST = 100
"""Impressions from which on a share is shown: before, it jumps about."""
_NAMES_FROM, _MOST_NAMES = 140, 3


@dataclass(slots=True)
class LiveFigure:
    """Clicks and impressions of the arms of a bar, as far as they are counted.

    Attributes:
        part: Whether the log held sessions before that nobody counts again: the figure is then of what came since.
    """

    part: bool = False
    _counted: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take_note(self, event: SessionsWritten) -> None:
        """Add what was written."""
        if event.impressions is None or event.clicks is None:
            self.part = self.part or event.count > 0
            return
        shown, clicked = self._counted.get(event.arm, (0, 0))
        self._counted[event.arm] = shown + event.impressions, clicked + event.clicks

    def words(self, width: int, *, over: bool) -> str:
        """The figure; "" while too little is known.

        Args:
            width: Of the terminal, in columns: where a bar stands for several arms, a wide one has their names.
            over: Whether the arms have ended, so that it is no figure "so far".
        """
        known = {arm: 100 * clicked / shown for arm, (shown, clicked) in self._counted.items() if shown >= _FEWEST}
        if not known:
            return ""
        ends = sorted((min(known.values()), max(known.values())))
        said = f"{ends[0]:.1f} %" if len(known) == 1 else f"{ends[0]:.1f} to {ends[1]:.1f} %"
        if width >= _NAMES_FROM and 1 < len(known) <= _MOST_NAMES:
            said = ", ".join(f"{arm} {share:.1f} %" for arm, share in known.items())
        since = " since resumed" if self.part else "" if over else " so far"
        return f"{said} clicked{since}"
