"""What a calibrated mind's weights are, what they were fitted for, and the file that holds them.

    P(click | examined) = logistic(constant + evidence * appeal + language * (score - centre) / scale)

Appeal is the taste's log-odds (`groundlings.personas.taste.model`), score the language model's
(`groundlings.personas.minds.calibrated_question`). The two weights are estimated together for the mind with both terms,
and the language weight once more alone for the mind without evidence (`groundlings.personas.taste.calibration_fit`).
The constant is not estimated, because it is unknown how often real users were shown items they did not click: it makes
the mean over random candidates equal `random_click_rate`.

A file holds counts, weights and hashes, and no person, item or rating of the data set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import ndtri

from groundlings.environments.arrays import FloatArray
from groundlings.environments.fitted_files import read_fitted

_Z95 = float(ndtri(0.975))
_APPEALS = 1000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FittedFor(_Part):
    """What weights depend on; where any of it differs, they are another mind's."""

    dataset: str
    """As in the YAML."""
    dataset_hash: str
    """SHA-256 over people, items and interactions."""
    split_kind: str
    test_fraction: float
    salt: str
    """Of the thirds: the labels are of the validation third."""
    evidence: tuple[str, ...]
    """Features that appeal is made of."""
    evidence_version: int
    """Of their meaning (`groundlings.personas.taste.features.version_of`)."""
    model: str
    """The model's name."""
    model_fingerprint: str
    """SHA-256 over its weights where that is known, else its name."""
    prompt: str
    """Files and versions of the question."""
    prompt_hash: str
    question: Mapping[str, Any]
    """How much of person and item the model is shown."""
    people: int
    """Validation people at most."""
    pairs: int
    """Pairs of each at most."""
    seed: int
    """Of the choice of people and pairs."""

    def mismatches(self, wanted: FittedFor, *, size: bool) -> list[str]:
        """In words, what differs from what is wanted; empty where these weights fit.

        Args:
            wanted: What the experiment needs.
            size: Whether another number of people or pairs, or another seed, is a difference too.
        """
        names = [name for name in FittedFor.model_fields if size or name not in ("people", "pairs", "seed")]
        if wanted.model_fingerprint == wanted.model:  # a replay, or a server elsewhere: nobody knows more than the name
            names.remove("model_fingerprint")
        return [
            f"{name} is {getattr(self, name)!r}, needed {getattr(wanted, name)!r}"
            for name in names
            if getattr(self, name) != getattr(wanted, name)
        ]


class Estimate(_Part):
    """A figure with its standard error."""

    value: float
    error: float
    """Clustered by person."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, normal."""
        return self.value - _Z95 * self.error, self.value + _Z95 * self.error


class Labels(_Part):
    """What the weights were estimated on."""

    people: int
    met: int
    """Held-out items."""
    passed_by: int
    """Negatives, sampled uniformly from each user's unobserved items."""
    unreadable: int
    """Pairs left out because the model's answer could not be read."""

    @property
    def asked(self) -> int:
        """All pairs that the model was asked about."""
        return self.met + self.passed_by + self.unreadable


class RandomItems(_Part):
    """The standardised score of random unobserved items: the constant needs it for pairs that were not asked about."""

    intercept: float
    slope: float
    """Least squares on appeal."""
    residuals: tuple[float, ...]
    """Quantiles of what is left, evenly spaced."""
    scores: tuple[float, ...]
    """Quantiles of the standardised score itself, evenly spaced."""


class Calibration(_Part):
    """The weights of a calibrated mind."""

    format: Literal["groundlings calibration 1"] = "groundlings calibration 1"
    fitted_for: FittedFor
    labels: Labels
    centre: float
    """Mean score among the labels."""
    scale: float
    """Standard deviation of the score among the labels."""
    evidence: Estimate
    """Log-odds per unit of appeal, together with the language term."""
    language: Estimate
    """Log-odds per standard deviation of the score, together with appeal."""
    language_alone: Estimate
    """The same without appeal."""
    gain: Estimate
    """Log likelihood that the language term adds to labels of users held out, in nats per pair."""
    random_items: RandomItems
    taste: Mapping[str, Any]
    """Weights of the taste that appeal came from (`groundlings.personas.taste.weights`)."""
    versions: Mapping[str, str]
    """Package -> version."""
    created: str
    """Date, ISO 8601."""

    @property
    def sha256(self) -> str:
        """Over all that changes a decision, in hexadecimal."""
        content = self.model_dump(mode="json", exclude={"versions", "created"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def standardised(self, scores: FloatArray) -> FloatArray:
        """Scores in standard deviations from their mean."""
        return (scores - self.centre) / self.scale

    def random_log_odds(self, unmet_appeal: FloatArray, *, evidence: bool) -> FloatArray:
        """Log-odds, up to the constant, of random unobserved items, shape (n,).

        Args:
            unmet_appeal: Appeal of such items.
            evidence: Whether the mind has the evidence term.
        """
        random = self.random_items
        if not evidence:
            return self.language_alone.value * np.array(random.scores)
        if not len(unmet_appeal):
            return np.zeros(0)
        appeal = np.quantile(unmet_appeal, (np.arange(_APPEALS) + 0.5) / _APPEALS)
        said = random.intercept + random.slope * appeal[:, None] + np.array(random.residuals)
        return (self.evidence.value * appeal[:, None] + self.language.value * said).ravel()

    def summary(self) -> dict[str, Any]:
        """For manifests: weights, what they rest on, and the hash."""
        return {
            "sha256": self.sha256,
            "evidence": self.evidence.model_dump(),
            "language": self.language.model_dump(),
            "language_alone": self.language_alone.model_dump(),
            "gain_nats_a_pair": self.gain.model_dump(),
            "labels": self.labels.model_dump(),
        }

    def as_text(self) -> str:
        """What the file holds; reading it gives the same."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def read_calibration(path: Path) -> Calibration:
    """The weights in a file.

    Raises:
        ConfigError: There is no such file.
        DataError: It is none of ours, or damaged.
    """
    return read_fitted(
        path,
        Calibration,
        what="the calibration",
        file="a calibration file",
        command="groundlings calibrate CONFIG --out FILE",
    )
