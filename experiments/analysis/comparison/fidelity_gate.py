"""Is this audience to be believed? What the fidelity lab and the truth lab say about it.

Both files are read loosely: whether the gate is passed, and among `records` those of one part about a mind whose metric
names a tau or a sign agreement, the first of each.

    fidelity.json   system_gate_passed, about.mind, part "system": against what users met later, which they chose
    truth.json      gate_passed and about.minds by mind, part "order": against what users did with items that were shown
                    at random; read is what it says of the mind that is most like the run's

Both carry a seal over all they say. One that does not hold is refused; a file without one, as earlier versions wrote
them, is shown and opens no gate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError, in_words
from groundlings.simulator.log.manifest_seal import SEAL, hash_without_seal

FIDELITY_NAME = "fidelity.json"
TRUTH_NAME = "truth.json"
POOLED = "pooled"
"""The salt of a truth lab's record that is the mean over all partitions."""

_DERIVED = frozenset({"click_constant", "exposures"})
"""What a mind works out from the people at hand: another sample of the same audience has another value. So has a file
that was fitted on the exposures of some of them; whether there is one has to agree."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate: does the audience put recommenders in the order that real people's behaviour does?

    Attributes:
        path: The file it was read from.
        passed: As the lab decided.
        fits: Whether the lab examined the data and the mind of this run; not where the file does not say what it did.
        tau: Kendall's tau of simulated and real order, with its interval; None where the file has none.
        tau_low, tau_high: Likewise.
        sign_agreement: Share of the pairs that really differ which the audience puts in the same order.
        recommenders: How many were ordered.
        mismatch: What does not fit, in words.
        sealed: Whether the file is as the lab wrote it; one of an earlier version cannot show it.
    """

    path: str
    passed: bool
    fits: bool
    tau: float | None
    tau_low: float | None
    tau_high: float | None
    sign_agreement: float | None
    recommenders: int | None
    mismatch: str
    sealed: bool

    @property
    def opens(self) -> bool:
        """Whether an effect may be called validated by it."""
        return self.passed and self.counts

    @property
    def counts(self) -> bool:
        """Whether it says anything of this run: without a seal it keeps effects from validated, and makes none so."""
        return self.fits and (self.sealed or not self.passed)

    @property
    def unsealed(self) -> str:
        """What to do about a file without a seal, as a clause behind its name."""
        return f"has no seal, so that nobody can see whether it was changed; write it anew with `{_command(self.path)}`"


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
    path = _place(directory / FIDELITY_NAME, named)
    if path is None:
        return None
    try:
        content = _unchanged(path)
        about = content.get("about", {})
        records = [each for each in content["records"] if each.get("part") == "system"]
        passed = _truth_value(content["system_gate_passed"])
        examined = about.get("mind")
        wrong = _unlike(about, examined, dataset_hash, mind)
        return _gate(path, records, passed, wrong, SEAL in content)
    except _UNREADABLE as fault:
        raise RunDirectoryError(
            f"{path}: not a file of the fidelity lab ({in_words(fault)}); expected system_gate_passed and records"
        ) from None


def find_truth(directory: Path, named: Path | None, dataset_hash: str, mind: Mapping[str, Any]) -> Gate | None:
    """As `find_gate`, of a truth file: the same order where nobody chose what was shown."""
    path = _place(directory / TRUTH_NAME, named)
    if path is None:
        return None
    try:
        content = _unchanged(path)
        passed = content["gate_passed"]
        name, faults = _most_alike(content, dataset_hash, mind)
        records = [each for each in content["records"] if (each.get("part"), each.get("scorer")) == ("order", name)]
        return _gate(path, records, _truth_value(passed[name]), faults, SEAL in content)
    except _UNREADABLE as fault:
        raise RunDirectoryError(
            f"{path}: not a file of the truth lab ({in_words(fault)}); expected gate_passed, about.minds and records"
        ) from None


def lab_records(
    directory: Path, named: Path | None, dataset_hash: str, mind: Mapping[str, Any], truth: bool = False
) -> list[Mapping[str, Any]]:
    """The records of a fidelity file, or the pooled ones of a truth file about the mind most like the run's.

    Args:
        directory, named, dataset_hash, mind: As for `find_gate`.
        truth: Whether a truth file is meant.

    Returns:
        Plain mappings; none where there is no file.

    Raises:
        RunDirectoryError: As `find_gate`.
    """
    path = _place(directory / (TRUTH_NAME if truth else FIDELITY_NAME), named)
    if path is None:
        return []
    try:
        content = _unchanged(path)
        records: list[Mapping[str, Any]] = [each for each in content["records"] if isinstance(each, dict)]
        if not truth:
            return records
        name, _ = _most_alike(content, dataset_hash, mind)
        pooled = [each for each in records if each.get("salt", POOLED) == POOLED]
        return [
            each
            for each in pooled
            if each.get("kind") != "mind" or str(each.get("scorer", "")).partition(" (")[0] == name
        ]
    except _UNREADABLE as fault:
        raise RunDirectoryError(f"{path}: not a file of a lab ({in_words(fault)}); expected records") from None


def _most_alike(content: Mapping[str, Any], dataset_hash: str, mind: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Of the minds that a truth file is about the one most like the run's, and what does not fit."""
    about = content["about"]
    faults = {name: _unlike(about, about["minds"][name], dataset_hash, mind) for name in content["gate_passed"]}
    name = min(faults, key=lambda each: len(faults[each]))
    return name, faults[name]


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def _place(usual: Path, named: Path | None) -> Path | None:
    """The file to read; None where there is none and none was named."""
    path = usual if named is None else named / usual.name if named.is_dir() else named
    if path.is_file():
        return path
    if named is None:
        return None
    raise RunDirectoryError(f"{path}: there is no such file; name the {usual.name} of an examination")


def _unchanged(path: Path) -> Any:
    """What a file of a lab says; raises RunDirectoryError where its seal does not hold."""
    content = json.loads(bounded_text(path))
    if isinstance(content, dict) and SEAL in content and content[SEAL] != hash_without_seal(content):
        raise RunDirectoryError(
            f"{path}: was changed after it was written; restore it from a copy, write it anew with "
            f"`{_command(path)}`, or take it away"
        )
    return content


def _command(path: Path | str) -> str:
    """The lab that writes such a file."""
    return f"groundlings {'truth' if Path(path).name == TRUTH_NAME else 'fidelity'} FILE.yaml"


def _gate(path: Path, records: list[dict[str, Any]], passed: bool, wrong: list[str], sealed: bool) -> Gate:
    tau, sign = _metric(records, "tau"), _metric(records, "sign")
    return Gate(
        path=path.name,
        passed=passed,
        fits=not wrong,
        tau=_figure(tau, "value"),
        tau_low=_figure(tau, "low"),
        tau_high=_figure(tau, "high"),
        sign_agreement=_figure(sign, "value"),
        recommenders=_count(tau),
        mismatch=", ".join(wrong),
        sealed=sealed,
    )


def _metric(records: list[dict[str, Any]], word: str) -> dict[str, Any]:
    minds = [each for each in records if word in str(each.get("metric", "")) and each.get("kind", "mind") == "mind"]
    return minds[0] if minds else {}


def _truth_value(value: object) -> bool:
    """A truth value; raises ValueError for anything else, as "false" is none."""
    if not isinstance(value, bool):
        raise ValueError(f"a gate passed: {value!r}")
    return value


def _figure(record: Mapping[str, Any], key: str) -> float | None:
    """A tau, a share or an end of an interval, None where there is none; raises ValueError for what cannot be one."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, float | int) or isinstance(value, bool) or not -1 <= value <= 1:
        raise ValueError(f"{record.get('metric')!r} with {key} {value!r}")
    return float(value)


def _count(record: Mapping[str, Any]) -> int | None:
    value = record.get("n")
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise ValueError(f"{record.get('metric')!r} of {value!r} recommenders")
    return value


def _unlike(about: Mapping[str, Any], examined: object, dataset_hash: str, mind: Mapping[str, Any]) -> list[str]:
    """What an examination does not share with a run, in words: the data, and settings of the mind."""
    data = about.get("dataset_hash")
    wrong = ["data that it does not name"] if data is None else ["other data"] if data != dataset_hash else []
    if not isinstance(examined, dict):
        return [*wrong, "a mind that it does not name"]
    if ("exposures" in examined) != ("exposures" in mind):
        wrong.append(f"a mind that was {'' if 'exposures' in examined else 'not '}fitted on exposures")
    return wrong + [
        f"a mind with {name} {examined[name]!r} instead of {value!r}"
        for name, value in mind.items()
        if name in examined and name not in _DERIVED and not isinstance(value, dict) and examined[name] != value
    ]
