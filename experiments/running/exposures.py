"""From an experiment file and a log of exposures to a calibration: the data, the features, the fit.

Features are measured on the training history before the first exposure, so that what a person did with a shown item is
in no feature of it. A log without times may overlap with the history: pairs that the history holds are left out, and
where those are mostly the opened ones no utility is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from groundlings.environments.arrays import BoolArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.datasets.exposures import load_exposures
from groundlings.environments.errors import ConfigError, DataError, shown
from groundlings.environments.exposures import Exposures
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import LabelRows, test_people
from groundlings.environments.words import persons, plural
from groundlings.experiments.config.schema import BehaviouralSection, CalibratedMindConfig, ExperimentConfig
from groundlings.experiments.running.events import Note, Progress, on_download, on_note
from groundlings.experiments.running.plan import Plan
from groundlings.personas.exposure.calibration import ExposureCalibration
from groundlings.personas.exposure.fit import Audience, fit_exposures
from groundlings.personas.exposure.presets import LEVEL, LIKE_LEVEL
from groundlings.personas.exposure.utility import Features, UtilityPreset
from groundlings.personas.minds.browsing_parameters import named_exposures
from groundlings.personas.minds.click_model import open_constant
from groundlings.personas.taste.model import Taste, fit_taste
from groundlings.personas.taste.utility import FEATURES, MET, SHOWN, utility_features

_RANDOM_PAIRS = 20_000
_FEWEST_KNOWN = 0.5
"""Share of the exposures' people who need a history for the utility to be fitted."""
_MOST_OVERLAP = 0.5
"""Share of the opened rows that the history may hold."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a utility is fitted with.

    Attributes:
        features: Of every exposure; None where they cannot be measured.
        missing: Why.
        known_pairs: Exposures of items that the history holds, shape (n,).
        opening, liking: Where the fit starts from.
    """

    features: Features | None
    missing: str
    known_pairs: BoolArray
    opening: UtilityPreset
    liking: UtilityPreset


def calibrate_exposures(config: ExperimentConfig, progress: Progress) -> ExposureCalibration:
    """The calibration that `exposures` of an experiment file asks for.

    Raises:
        ConfigError: The file has no such section.
        DataError: The data or the log cannot be read, or nobody is left to fit on.
    """
    wanted = config.exposures
    if wanted is None:
        raise ConfigError("exposures: this section is missing; name the log there, or with --exposures FILE")
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    exposures = load_exposures(wanted, config.base, dataset)
    split = config.split.of(dataset)
    held_out = np.zeros(len(exposures), dtype=np.bool_)
    if wanted.hold_out:
        held_out = test_people(dataset.people.user_ids, config.split.salt)[exposures.users]
    if held_out.all():
        raise DataError(
            f"{wanted.path}: all of its people belong to the test third, which nothing is fitted on; take more people, "
            "or set exposures.hold_out: false"
        )
    progress.event(Note(f"exposures: {plural(len(exposures), 'row')} of {persons(len(np.unique(exposures.users)))}"))
    measured = measure(dataset, split.train, exposures, salt=config.split.salt, seed=config.seed, labels=split.labels)
    audience = Audience(
        dataset=dataset.name,
        dataset_hash=dataset.fingerprint,
        like_from=dataset.scale.like,
        features=measured.features,
        known_pairs=measured.known_pairs,
        held_out=held_out,
        opening=measured.opening,
        liking=measured.liking,
        no_features=measured.missing,
    )
    return fit_exposures(exposures, audience, shape=wanted.shape, columns=wanted.columns)


def exposures_warning(plan: Plan) -> str | None:
    """A line about a mind whose exposures are those of another audience or catalogue; None where they fit."""
    mind = plan.config.mind
    if plan.supplied.mind is not None or not isinstance(mind, BehaviouralSection | CalibratedMindConfig):
        return None
    calibration = named_exposures(mind.options, plan.minds.base_directory)
    if calibration is None or calibration.fitted_on.dataset_hash == plan.dataset.real.fingerprint:
        return None
    fitted = calibration.fitted_on
    return (
        f"mind.exposures was fitted on other data ({shown(fitted.dataset)} {fitted.dataset_hash[:8]}, this is "
        f"{shown(plan.dataset.name)} "
        f"{plan.dataset.real.fingerprint[:8]}): other people, items or interactions. How far it holds here is not "
        "known; "
        "fit it on a log of these people with `groundlings calibrate --exposures`"
    )


def measure(
    dataset: Dataset,
    train: Interactions,
    exposures: Exposures,
    *,
    salt: str,
    seed: int,
    labels: LabelRows = "latest",
) -> Measured:
    """Features of all exposures, from the history before them.

    Args:
        dataset: For people and items.
        train: The training history.
        exposures: What was shown.
        salt: Of the thirds.
        seed: Of the taste, and of the random pairs that set the preset's level.
        labels: `Split.labels` of the split that `train` comes from.
    """
    history = _before(train, exposures)
    known_pairs = np.asarray(history.matrix[exposures.users, exposures.items]).ravel() > 0
    if missing := _no_features(history, exposures, known_pairs):
        unknown = UtilityPreset(float(logit(LEVEL.value)), {}, "the preset of the level, alike for all items")
        return Measured(None, missing, known_pairs, unknown, UtilityPreset(float(logit(LIKE_LEVEL.value))))
    taste = fit_taste(dataset, history, salt=salt, seed=seed, labels=labels)
    values = np.empty((len(exposures), len(FEATURES)))
    order = np.argsort(exposures.users, kind="stable")  # a person's rows together
    values[order] = utility_features(taste, exposures.users[order], exposures.items[order].astype(np.int64))
    return Measured(
        Features(FEATURES, values),
        "",
        known_pairs,
        _opening_preset(taste, dataset, seed),
        UtilityPreset(0.0, {"liking": 1.0}, "the star model's P(like), fitted on self-chosen ratings"),
    )


def _before(train: Interactions, exposures: Exposures) -> Interactions:
    """The interactions that are older than every exposure; all of them where the log has no times."""
    if exposures.timestamps is None:
        return train
    first = int(exposures.timestamps.min()) * train.ticks_per_second // exposures.ticks_per_second
    return train.take(train.timestamps < first)


def _no_features(history: Interactions, exposures: Exposures, known_pairs: BoolArray) -> str:
    """Why features cannot be measured, "" where they can."""
    people = np.unique(exposures.users)
    known = float((np.bincount(history.users, minlength=history.n_users)[people] > 0).mean())
    if known < _FEWEST_KNOWN:
        return (
            f"only {known:.0%} of the {len(people):,} people in the log have training interactions before its first "
            "row, and taste is measured on those"
        )
    opened, passed = (known_pairs[exposures.opened == outcome] for outcome in (1, 0))
    if len(opened) and len(passed) and opened.mean() > _MOST_OVERLAP and passed.mean() < opened.mean() / 2:
        return (
            f"{opened.mean():.0%} of the opened rows stand among the training interactions too (of the others "
            f"{passed.mean():.0%}), so taste would know the outcome; name a column with times (exposures.timestamp)"
        )
    return ""


def _opening_preset(taste: Taste, dataset: Dataset, seed: int) -> UtilityPreset:
    """The preset weights, and the intercept that gives random pairs of a person and an item the preset level."""
    name, weights = ("met", MET) if taste.stars is None else ("shown", SHOWN)
    slopes = {feature: float(getattr(weights, feature)) for feature in FEATURES}
    chosen = np.random.default_rng(seed)
    users = np.sort(chosen.integers(0, len(dataset.people), _RANDOM_PAIRS))
    items = chosen.integers(0, len(dataset.catalog), _RANDOM_PAIRS)
    odds = utility_features(taste, users, items) @ np.array(list(slopes.values()))
    source = f"weights `{name}` of mind.utility; the intercept gives random items the preset level, {LEVEL.value:g}"
    return UtilityPreset(open_constant(odds, LEVEL.value), slopes, source)
