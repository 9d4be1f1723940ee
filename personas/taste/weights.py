"""All that is estimated in a taste, apart from what it was measured on: small enough to print, keep and compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import DataError
from groundlings.personas.taste.features import FEATURES
from groundlings.personas.taste.regression import OrdinalFit
from groundlings.personas.taste.star_features import STAR_FEATURES


@dataclass(frozen=True)
class AppealWeights:
    """A logistic model on standardised features.

    Attributes:
        weights: Log-odds for one standard deviation of each feature, in the order of `FEATURES`.
        centre, scale: Mean and standard deviation of each feature over users and unobserved items.
        labels: Held-out items the weights were estimated on, 0 = not estimated.
        met_share: Share of the candidates of the people fitted on that they met in the held-out rows; None where nobody
            met any.
    """

    weights: FloatArray
    centre: FloatArray
    scale: FloatArray
    labels: int
    met_share: float | None = None

    @property
    def slopes(self) -> FloatArray:
        """Log-odds for one unit of each feature, shape (n_features,)."""
        return self.weights / self.scale


@dataclass(frozen=True)
class StarWeights:
    """What is estimated in `groundlings.personas.taste.star_model`.

    Attributes:
        fit: Stretch, shift and weights of `STAR_FEATURES`.
        mood: Share of the variance that one occasion's ratings have in common, 0 to 1.
        labels: Held-out ratings they were estimated on.
    """

    fit: OrdinalFit
    mood: float
    labels: int


@dataclass(frozen=True)
class TasteWeights:
    """Everything that `fit_taste` estimates; given back to it, nothing is estimated again.

    Attributes:
        appeal: Of the logistic model.
        stars: Of the model of ratings, None where nobody gave any.
    """

    appeal: AppealWeights
    stars: StarWeights | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives back the same weights to the last bit."""
        appeal, stars = self.appeal, self.stars
        return {
            "appeal": {
                name: {"weight": float(weight), "centre": float(centre), "scale": float(scale)}
                for name, weight, centre, scale in zip(
                    FEATURES, appeal.weights, appeal.centre, appeal.scale, strict=True
                )
            },
            "appeal_labels": appeal.labels,
            "met_share": appeal.met_share,
            "stars": None
            if stars is None
            else {
                "stretch": stars.fit.stretch,
                "shift": stars.fit.shift,
                "mood": stars.mood,
                **dict(zip(STAR_FEATURES, stars.fit.weights.tolist(), strict=True)),
            },
            "star_labels": 0 if stars is None else stars.labels,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TasteWeights:
        """The weights that `as_dict` wrote.

        Raises:
            DataError: Features of another version of this model.
        """
        appeal, stars = values["appeal"], values["stars"]
        _check("appeal", tuple(appeal), FEATURES)
        parts = {
            part: np.array([appeal[name][part] for name in FEATURES], dtype=np.float64)
            for part in ("weight", "centre", "scale")
        }
        weights = AppealWeights(
            parts["weight"], parts["centre"], parts["scale"], int(values["appeal_labels"]), values.get("met_share")
        )
        if stars is None:
            return cls(weights, None)
        _check("stars", tuple(stars), ("stretch", "shift", "mood", *STAR_FEATURES))
        fit = OrdinalFit(stars["stretch"], stars["shift"], np.array([stars[name] for name in STAR_FEATURES]))
        return cls(weights, StarWeights(fit, stars["mood"], int(values["star_labels"])))


def _check(part: str, found: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if set(found) != set(expected):
        raise DataError(
            f"taste weights, {part}: found {', '.join(sorted(found))}; this version knows "
            f"{', '.join(sorted(expected))}. Estimate the weights again with this version."
        )
