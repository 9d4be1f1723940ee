"""What is assumed of returns where no data say it, each with its source.

None of these is an estimate of a causal effect: no open data set says how long people stayed away after lists that were
shown to them at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from groundlings.personas.exposure.presets import Preset

AFTER_SESSION: Final[Mapping[str, Preset]] = {
    "satisfaction": Preset(
        0.10,
        None,
        None,
        "chosen: the hazard of coming back rises by a tenth with each point of 10. The form, a hazard of returning "
        "with covariates of the last session, is that of Kapoor et al. 2014 (KDD); it gives no figure on this scale",
    ),
    "found": Preset(
        0.10,
        None,
        None,
        "chosen: the hazard rises by a tenth with each doubling of 1 + what was found; `history` estimates it within "
        "people, which is an association",
    ),
    "fatigue": Preset(
        -0.50,
        None,
        None,
        "chosen: at full fatigue the hazard is .6 of what it was. The sign is that of Anderson et al. 2020 "
        '("Algorithmic effects on the diversity of consumption on Spotify", WWW), where people of diverse consumption '
        "are retained more often; that, too, is an association",
    ),
}
"""Coefficients on the log hazard of coming back."""
