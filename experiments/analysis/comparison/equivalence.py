"""Showing that nothing is lost, which a large p value never does."""

from __future__ import annotations

from scipy.special import stdtr

from groundlings.experiments.analysis.compare import Difference


def no_loss_p_value(found: Difference, margin: float) -> float | None:
    """p of "the true difference is -margin or worse": small shows non-inferiority; None without an interval.

    The lower of Schuirmann's two one-sided tests; None as well of a difference without any spread to test against.

    Args:
        found: Arm minus baseline, higher is better (turn its sign first where it is not).
        margin: Largest loss that is tolerated, above zero.
    """
    return _above(found, -margin)


def equivalence_p_value(found: Difference, margin: float) -> float | None:
    """p of "the true difference is at least `margin` away from zero": small shows equivalence.

    TOST: Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability". The larger of two one-sided p values; no correction is needed.
    """
    lower, upper = _above(found, -margin), _above(found, margin)
    return None if lower is None or upper is None else max(lower, 1 - upper)


def _above(found: Difference, bound: float) -> float | None:
    if found.difference is None or found.standard_error is None:
        return None
    distance = found.difference - bound
    if found.standard_error == 0.0:
        if found.difference:
            return None
        return 0.0 if distance > 0 else 1.0  # what does not differ anywhere has lost nothing
    return float(stdtr(found.n - 1, -(distance / found.standard_error)))
