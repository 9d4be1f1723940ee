"""What is assumed of looking, opening and leaving where no log of exposures says it, each with its source.

A preset's interval is that of its source where the source gives one. It says nothing of how far a platform of another
kind may be from it: fit your own where you can (`groundlings calibrate --exposures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from groundlings.environments.exposures import Shape


@dataclass(frozen=True, slots=True)
class Preset:
    """A figure from elsewhere.

    Attributes:
        value: The figure.
        low, high: Of its 95 % interval, or of the range of sources where the text says so; None where it was chosen.
        source: Where it comes from.
    """

    value: float
    low: float | None
    high: float | None
    source: str


@dataclass(frozen=True, slots=True)
class PositionPreset:
    """How attention falls: P(look at place k) = k ** -exponent.

    Attributes:
        shape: What a place is: `list` counts positions, `grid` rows, and in a `flat` layout all are looked at.
        exponent: 0 where all are looked at.
    """

    shape: Shape
    exponent: Preset


@dataclass(frozen=True, slots=True)
class ExitPreset:
    """P(leave after page k) = logistic(logit(hazard) + slope * (k - 1)).

    Attributes:
        hazard: After the first page.
        slope: Log-odds per further page.
    """

    hazard: Preset
    slope: Preset


POSITION: Final[Mapping[str, PositionPreset]] = {
    "list": PositionPreset(
        "list",
        Preset(
            0.60,
            0.51,
            0.61,
            "position-based model fitted by EM to 56,477 search result pages of ten places; 95 % over queries",
        ),
    ),
    "carousel": PositionPreset(
        "flat",
        Preset(
            0.0,
            -0.47,
            0.27,
            "three places under a random policy, 130 clicks at 38, 51 and 41 (Open Bandit sample, Saito et al. 2021): "
            "1/k is rejected (p = 3e-8), 0.6 too (p = .001), a flat curve is not (p = .42)",
        ),
    ),
    "grid": PositionPreset(
        "grid",
        Preset(
            0.60,
            None,
            None,
            "chosen: the exponent of lists over rows, and a flat curve within a row. Grids of products decay more "
            "slowly than lists (Guo et al. 2020, KDD), so 0.6 is rather too steep; no open log gives a figure",
        ),
    ),
}
"""By layout."""

LEVEL: Final = Preset(
    0.04,
    0.0043,
    0.176,
    "P(open | shown) of a news site with known exposures; the range is that of random exposures on other platforms: "
    ".0043 on a fashion carousel (Open Bandit), .176 on short video (KuaiRand)",
)
"""P(open | looked at) of an item drawn at random."""

NOT_CHOSEN: Final = Preset(
    -0.5,
    -1.7,
    -0.3,
    "log-odds of a like of an item that was shown at random, less what a model of chosen items says of it: -.3 on Coat "
    "(Schnabel et al. 2016), -1.0 for opens on short video (KuaiRand: .176 of random and .379 of recommended items), "
    "-1.7 on a music service; chosen nearer to the first, as most pages are not random",
)
"""How much less people like what nobody chose, where no ratings of shown items say it."""

LIKE_LEVEL: Final = Preset(
    0.18,
    0.16,
    0.21,
    "share of likes among uniformly random items that 290 people had to rate (Coat, Schnabel et al. 2016)",
)
"""P(like | shown) of an item drawn at random."""

REPEAT: Final = Preset(
    -0.71,
    None,
    None,
    "a news site's opens fall from .040 to .020 when an item is shown again. Items that were not opened are shown "
    "again more often, so part of this is no fatigue; a count within pages of EB-NeRD gives -1.1",
)
"""Log-odds of opening per log2(1 + times shown before): what the first repetition adds."""

EXIT: Final[Mapping[str, ExitPreset]] = {
    "flat": ExitPreset(
        Preset(
            0.45, 0.41, 0.49, "share of views that end a session of a news site (EB-NeRD: 485 sessions of 38 people)"
        ),
        Preset(0.0, None, None, "the same site: .49 .48 .45 .41 .44 .48 after one to six views"),
    ),
    "rising": ExitPreset(
        Preset(0.25, None, None, "chosen, not estimated"),
        Preset(0.20, None, None, "chosen, not estimated"),
    ),
}
"""By kind."""

RETURN: Final = Preset(
    1.0, None, None, "chosen: every agent has a session on every simulated day (simulation.visit_probability)"
)
"""P(a person who has been there has a session on a day)."""
