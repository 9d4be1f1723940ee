"""The language model's part in a calibrated choice: who is asked, and how much the answer weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundlings.personas.minds.calibrated_question import PairScorer
    from groundlings.personas.taste.calibration import Calibration


@dataclass(frozen=True, slots=True)
class LanguageTerm:
    """What a calibrated mind needs beside its evidence.

    Attributes:
        scorer: Asks the model, or a student of its answers; shared by all arms, so that no pair is asked about twice.
        calibration: The weights.
        source: Where they came from, in words.
    """

    scorer: PairScorer
    calibration: Calibration
    source: str
