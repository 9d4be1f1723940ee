"""The click models by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groundlings.personas.click_models.chains import Bayesian, Cascade, DependentClick, SimplifiedBayesian
from groundlings.personas.click_models.chances import SlotChance
from groundlings.personas.click_models.examination import PositionBased, UserBrowsing
from groundlings.personas.click_models.model import ClickModel

CLICK_MODELS: Mapping[str, Callable[[Callable[[], SlotChance]], ClickModel]] = {
    "position_based": lambda chance: PositionBased(chance()),
    "user_browsing": lambda chance: UserBrowsing(chance()),
    "cascade": lambda chance: Cascade(chance()),
    "dependent_click": lambda chance: DependentClick(chance()),
    "bayesian": lambda chance: Bayesian(chance(), chance()),
    "simplified_bayesian": lambda chance: SimplifiedBayesian(chance(), chance()),
}
"""Name -> what makes the model from what makes a chance: `ByDocument` or `ByFeatures`."""
