"""Who is examined: the mind as it stands, and the same mind after a fit on the exposures of other people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.fidelity.stage import MIND
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.experiments.running.exposures import measure
from groundlings.personas.exposure.calibration import ExposureCalibration
from groundlings.personas.exposure.fit import Audience as FittedWith
from groundlings.personas.exposure.fit import fit_exposures
from groundlings.personas.minds.behavioural import BehaviouralMind
from groundlings.personas.taste.model import Taste, fit_taste

FITTED_MIND = f"{MIND}, fitted on exposures"
"""The same mind after a fit on the exposures of people who are not judged."""

_USERS_AT_ONCE = 256


@dataclass(frozen=True)
class Audience:
    """A mind under examination.

    Attributes:
        name: In every record.
        mind: Decides in sessions.
        shares: P(each rating) for some users and items, were the items shown to them, shape (n_pairs, n_ratings); None
            where the data set has no ratings.
        calibration: What the exposures of other people say; None without a fit.
    """

    name: str
    mind: BehaviouralMind
    shares: Callable[[IntArray, IntArray], FloatArray] | None
    calibration: ExposureCalibration | None = None

    @property
    def fitted(self) -> bool:
        """Whether it was fitted on exposures."""
        return self.calibration is not None


def audiences(ground: Ground, salt: str) -> list[Audience]:
    """The minds of one partition: the plain one, and the one that was fitted on the exposures of the half not judged.

    The second is made as a user makes it: the file that `groundlings calibrate --exposures` writes of these people's
    rows alone, named by `mind.exposures`. It is left out where the rows do not tell what makes people open an item.
    """
    taste = fit_taste(ground.dataset, ground.history(salt), salt=salt, seed=ground.seed, labels=ground.labels)
    options = ground.config.mind.options
    plain = BehaviouralMind(ground.population, taste, options, base_directory=ground.config.base)
    minds = [_audience(MIND, plain, taste)]
    calibration = calibrate_on(ground, salt)
    if calibration.utility.intercept.fitted or calibration.liking.intercept.fitted:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "exposures.json"
            path.write_text(calibration.as_text(), encoding="utf-8")
            mind = BehaviouralMind(ground.population, taste, options.model_copy(update={"exposures": path}))
        minds.append(_audience(FITTED_MIND, mind, taste, calibration))
    return minds


def calibrate_on(ground: Ground, salt: str) -> ExposureCalibration:
    """What the exposures of the half that is not judged say; no row of anybody else is read."""
    rows = ground.exposures.take(ground.fitted_half(salt)[ground.place])
    measured = measure(ground.dataset, ground.history(salt), rows, salt=salt, seed=ground.seed, labels=ground.labels)
    table = ground.config.truth.exposures
    return fit_exposures(
        rows,
        FittedWith(
            dataset=ground.dataset.name,
            dataset_hash=ground.dataset.fingerprint,
            like_from=ground.dataset.scale.like,
            features=measured.features,
            known_pairs=measured.known_pairs,
            held_out=np.zeros(len(rows), dtype=np.bool_),
            opening=measured.opening,
            liking=measured.liking,
            no_features=measured.missing,
        ),
        shape="flat" if table is None else table.shape,
        columns=None if table is None else table.columns,
    )


def _audience(
    name: str, mind: BehaviouralMind, taste: Taste, calibration: ExposureCalibration | None = None
) -> Audience:
    return Audience(name, mind, None if taste.stars is None else mind.rating_shares, calibration)


def like_chance(audience: Audience, ratings: FloatArray, users: IntArray, items: IntArray) -> FloatArray | None:
    """P(like) of some pairs, were the items shown, shape (n_pairs,); None where the data set has no ratings.

    Args:
        audience: Who says.
        ratings: Which ratings count as likes, 1 or 0, shape (n_ratings,).
        users, items: The pairs.
    """
    return None if audience.shares is None else audience.shares(users, items) @ ratings


def open_and_like(audience: Audience, users: IntArray, items: IntArray) -> FloatArray:
    """P(click | looked at) * P(like | rated) of some pairs, shape (n_pairs,), some users at a time."""
    found = np.empty(len(users))
    everybody, row = np.unique(users, return_inverse=True)
    for first in range(0, len(everybody), _USERS_AT_ONCE):
        here = (row >= first) & (row < first + _USERS_AT_ONCE)
        table = audience.mind.preference(everybody[first : first + _USERS_AT_ONCE])
        found[here] = table[row[here] - first, items[here]]
    return found
