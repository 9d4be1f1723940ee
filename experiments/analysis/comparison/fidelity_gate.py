"""Is this audience to be believed? What an examination by the fidelity lab says about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError

FIDELITY_NAME = "fidelity.json"

_DERIVED = frozenset({"click_constant"})
"""What a mind works out from the people at hand: another sample of the same audience has another value."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The system gate: does the audience put recommenders in the order that real people's behaviour does?

    Attributes:
        path: The file it was read from.
        passed: As the lab decided.
        fits: Whether the lab examined the data and the mind of this run; None where it does not say.
        tau: Kendall's tau of simulated and real order, with its interval; None where the file has none.
        tau_low, tau_high: Likewise.
        sign_agreement: Share of the pairs that really differ which the audience puts in the same order.
        recommenders: How many were ordered.
        mismatch: What does not fit, in words.
    """

    path: str
    passed: bool
    fits: bool | None
    tau: float | None
    tau_low: float | None
    tau_high: float | None
    sign_agreement: float | None
    recommenders: int | None
    mismatch: str

    @property
    def opens(self) -> bool:
        """Whether an effect may be called validated by it."""
        return self.passed and self.fits is not False


def find_gate(directory: Path, named: Path | None, dataset_hash: str, mind: Mapping[str, Any]) -> Gate | None:
    """The gate of a fidelity file, given by name or lying in the run's directory; None where there is none.

    The file is read loosely: a truth value `system_gate_passed`, and among `records` those of part "system" about a
    mind whose metric names a tau or a sign agreement.

    Args:
        directory: The run's.
        named: A fidelity.json, or the directory that holds it.
        dataset_hash: Of the run's data.
        mind: The run's mind as it described itself.

    Raises:
        RunDirectoryError: The file named is missing, or is no such file.
    """
    path = directory / FIDELITY_NAME if named is None else named / FIDELITY_NAME if named.is_dir() else named
    if not path.is_file():
        if named is None:
            return None
        raise RunDirectoryError(f"{path}: there is no such file; name the fidelity.json of an examination")
    try:
        content = json.loads(bounded_text(path))
        about = content.get("about", {})
        records = [each for each in content["records"] if each.get("part") == "system"]
        passed = bool(content["system_gate_passed"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise RunDirectoryError(
            f"{path}: not a file of the fidelity lab ({fault!r}); expected system_gate_passed and records"
        ) from None
    tau, sign = _metric(records, "tau"), _metric(records, "sign")
    fits, mismatch = _fits(about, dataset_hash, mind)
    return Gate(
        path=path.name,
        passed=passed,
        fits=fits,
        tau=tau.get("value"),
        tau_low=tau.get("low"),
        tau_high=tau.get("high"),
        sign_agreement=sign.get("value"),
        recommenders=tau.get("n"),
        mismatch=mismatch,
    )


def _metric(records: list[dict[str, Any]], word: str) -> dict[str, Any]:
    minds = [each for each in records if word in str(each.get("metric", "")) and each.get("kind", "mind") == "mind"]
    return minds[0] if minds else {}


def _fits(about: Mapping[str, Any], dataset_hash: str, mind: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether an examination is about this run's data and mind, and what is not."""
    found, examined = about.get("dataset_hash"), about.get("mind")
    wrong = [] if found in (None, dataset_hash) else ["other data"]
    if isinstance(examined, dict):
        wrong += [
            f"a mind with {name} {examined[name]!r} instead of {value!r}"
            for name, value in mind.items()
            if name in examined and name not in _DERIVED and not isinstance(value, dict) and examined[name] != value
        ]
    if wrong:
        return False, ", ".join(wrong)
    return (True if found is not None and isinstance(examined, dict) else None), ""
