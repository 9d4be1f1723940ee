"""Is this audience to be believed? What the fidelity lab and the truth lab say about it.

Both files are read loosely: a truth value, and among `records` those of one part about a mind whose metric names a tau
or a sign agreement.

    fidelity.json   system_gate_passed, part "system": against what users met later, which they chose themselves
    truth.json      truth_gate_passed, part "order": against what users did with items that were shown at random
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError

FIDELITY_NAME = "fidelity.json"
TRUTH_NAME = "truth.json"

_DERIVED = frozenset({"click_constant"})
"""What a mind works out from the people at hand: another sample of the same audience has another value."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells one lab's file from another's: its name, the lab, the key of its gate, and the part of its order."""

    name: str
    lab: str
    key: str
    part: str


_FIDELITY = _Kind(FIDELITY_NAME, "the fidelity lab", "system_gate_passed", "system")
_TRUTH = _Kind(TRUTH_NAME, "the truth lab", "truth_gate_passed", "order")


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate: does the audience put recommenders in the order that real people's behaviour does?

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

    Args:
        directory: The run's.
        named: A fidelity.json, or the directory that holds it.
        dataset_hash: Of the run's data.
        mind: The run's mind as it described itself.

    Raises:
        RunDirectoryError: The file named is missing, or is no such file.
    """
    return _find(_FIDELITY, directory, named, dataset_hash, mind)


def find_truth(directory: Path, named: Path | None, dataset_hash: str, mind: Mapping[str, Any]) -> Gate | None:
    """As `find_gate`, of a truth file: the same order where nobody chose what was shown."""
    return _find(_TRUTH, directory, named, dataset_hash, mind)


def _find(kind: _Kind, directory: Path, named: Path | None, dataset_hash: str, mind: Mapping[str, Any]) -> Gate | None:
    path = directory / kind.name if named is None else named / kind.name if named.is_dir() else named
    if not path.is_file():
        if named is None:
            return None
        raise RunDirectoryError(f"{path}: there is no such file; name the {kind.name} of an examination")
    try:
        content = json.loads(bounded_text(path))
        about = content.get("about", {})
        records = [each for each in content["records"] if each.get("part") == kind.part]
        passed = bool(content[kind.key])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise RunDirectoryError(
            f"{path}: not a file of {kind.lab} ({fault!r}); expected {kind.key} and records"
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
