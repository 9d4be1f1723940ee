"""Whether the run may be believed: one plain claim per line, and the checks."""

from __future__ import annotations

from dataclasses import dataclass

from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.fidelity_gate import lab_records
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.analysis.report.claims import claims_count, fidelity_claims, truth_claims
from groundlings.experiments.analysis.report.formatting import plural
from groundlings.experiments.analysis.report.real_sentences import first_recommender
from groundlings.experiments.analysis.report.sections.material import Material, Section


@dataclass(frozen=True, slots=True)
class Line:
    """A claim that has no place on a scale.

    Attributes:
        words: What was found.
        standing: "good", "bad" or "open".
    """

    words: str
    standing: str


def believe_section(material: Material) -> Section:
    """What is known of the test, of the agents, and of the same recommenders on real users."""
    comparison = material.comparison
    about = (comparison.run["dataset_hash"], comparison.run["mind"])
    fidelity = lab_records(material.run_dir, material.fidelity, *about)
    truth = lab_records(material.run_dir, material.truth, *about, truth=True)
    claims = [*fidelity_claims(fidelity), *truth_claims(truth)]
    return Section(
        {
            "arm_checks": [check for arm in comparison.arms for check in arm.checks],
            "lines": {"test": of_the_test(comparison), "people": _of_real_people(comparison)},
            "claims": claims,
            "claims_count": claims_count(claims),
        }
    )


def of_the_test(comparison: Comparison) -> tuple[Line, ...]:
    """How many checks passed, which failed, and which could not be made."""
    checks = comparison.all_checks
    passed = len(_of(checks, "passed"))
    mark = "bad" if _of(checks, "failed") else "good" if passed == len(checks) else "open"
    lines = [Line(f"{passed} of {plural(len(checks), 'check')} passed.", mark)] if passed else []
    for words, status, standing in (("Failed", "failed", "bad"), ("Not made", "not run", "open")):
        names = dict.fromkeys(check.name for check in _of(checks, status))
        if names:
            lines.append(Line(f"{words}: {'; '.join(names)}.", standing))
    if not comparison.declared:
        lines.append(Line("Nobody declared beforehand what would decide, so this run explores.", "open"))
    return tuple(lines)


def _of_real_people(comparison: Comparison) -> tuple[Line, ...]:
    """Whether real users' behaviour agrees with the direction of the effects, arm by arm."""
    words = {
        "agrees": ("Real users' behaviour points the same way for {arms}.", "good"),
        "disagrees": ("Real users' behaviour points the other way for {arms}.", "bad"),
        "cannot tell": ("Real users' behaviour cannot tell for {arms}.", "open"),
        "does not correspond": ("What is known of real users is not about this metric for {arms}.", "open"),
        "not known": ("What real users do with {arms} is not known.", "open"),
    }
    lines = []
    for stance, (said, standing) in words.items():
        arms = [
            f"{arm.name}{first_recommender(comparison, arm.name)}"
            for arm in comparison.arms
            if arm.real is not None and arm.real.stance == stance
        ]
        if arms:
            lines.append(Line(said.format(arms=", ".join(arms)), standing))
    return tuple(lines) or (Line("What real users do with these recommenders is not known.", "open"),)


def _of(checks: list[Check], status: str) -> list[Check]:
    return [check for check in checks if check.status == status]
