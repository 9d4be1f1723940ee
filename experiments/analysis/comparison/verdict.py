"""The verdict on an effect, by fixed rules.

    not supported   the arms are identical, there is no interval or it includes zero, the effect is not clear after
                    correction for how much was looked at, a variant changes the sign, an integrity check failed, a
                    guarded metric is harmed by an arm that is called better, or what real people did with the same
                    arms has the other sign and an interval that excludes zero
    validated       none of these; the plan was declared, every check that a validation needs was made and passed, and
                    the agents passed the system gate of the fidelity lab on these data: validated against later
                    observed behaviour. Where they passed the truth lab on these data as well, they order recommenders
                    as people did who had not chosen what they were shown: validated under random exposure
    indicative      everything else: the interval excludes zero, the distance from real users is not known

A small p value inside a simulator says nothing about the simulator's bias, so no p value alone makes an effect
"validated".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Word = Literal["validated", "indicative", "not supported"]
Status = Literal["passed", "failed", "not run"]

AGAINST_LATER_BEHAVIOUR = "against later observed behaviour"
UNDER_RANDOM_EXPOSURE = "under random exposure"
"""What a validation rests on: what users met later, which they chose themselves, or items shown at random."""

UNVARIED = "the difference is the same for every user; there is no spread to test against"
UNVARIED_GROUPS = "no user differs from any other of the same arm; there is no spread to test against"
"""Why an effect is not clear whose users do not differ."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a sceptic asks for.

    Attributes:
        name: What is asked.
        status: "not run" where the experiment did not hold what the check needs.
        finding: What was found, in words.
        spoils: Whether its failure spoils every effect; other failures only keep an effect from being validated.
    """

    name: str
    status: Status
    finding: str
    spoils: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the word depends on.

    Attributes:
        clear: The headline interval excludes zero, and so does what is known after correction.
        same_sign: All variants have the sign of the effect; None without variants.
        harmed: Guarded metrics that an arm called better harms.
        declared: A plan was declared before the run.
        checks: Of the run and of this arm.
        gate: Whether the audience passed the system gate on these data; None where it was not examined.
        truth: Whether it passed the truth lab on these data; None where it was not examined there, or on other data.
        identical: The arm did exactly what the baseline did.
        unclear: Why the effect is not clear, in words; "" where its interval includes zero.
        contradicted: Which real behaviour has the other sign, in words; "" where none has.
        audiences_differ: How differently other simulated audiences order the arms, in words; "" where they agree.
        extrapolated: That the sign rests on items that people hardly pick, in words; "" where it does not.
        unsealed: Why a gate that the audience passed does not count, as a clause behind its file; "" where it does.
    """

    clear: bool
    same_sign: bool | None
    harmed: tuple[str, ...]
    declared: bool
    checks: tuple[Check, ...]
    gate: bool | None
    identical: bool = False
    unclear: str = ""
    contradicted: str = ""
    audiences_differ: str = ""
    truth: bool | None = None
    extrapolated: str = ""
    unsealed: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The word, and why it is not a better one.

    Attributes:
        word: One of three.
        reasons: What stands in the way of "validated"; empty for it.
        basis: What "validated" rests on, in words; "" for the other words.
    """

    word: Word
    reasons: tuple[str, ...]
    basis: str = ""


def judge(evidence: Evidence) -> Judgement:
    """The word for one arm's effect on the primary metric."""
    against = list(_against(evidence))
    if against:
        return Judgement("not supported", (*against, *_depends(evidence)))
    missing = list(_missing(evidence))
    if missing:
        return Judgement("indicative", tuple(missing))
    return Judgement("validated", (), UNDER_RANDOM_EXPOSURE if evidence.truth else AGAINST_LATER_BEHAVIOUR)


def failed(checks: Sequence[Check]) -> list[Check]:
    """Checks that failed."""
    return [check for check in checks if check.status == "failed"]


def _against(evidence: Evidence) -> list[str]:
    """What takes the support away."""
    if evidence.identical:
        found = ["identical arms: equal in every slot of every session"]
    else:
        found = [] if evidence.clear else [evidence.unclear or "the interval includes zero"]
    if evidence.same_sign is False:
        found.append("the sign changes between variants")
    found += [f"check failed: {check.name}" for check in failed(evidence.checks) if check.spoils]
    found += [f"guardrail harmed: {name}" for name in evidence.harmed]
    return found + ([evidence.contradicted] if evidence.contradicted else [])


def _missing(evidence: Evidence) -> list[str]:
    """What a validation still needs."""
    found = [] if evidence.declared else ["no primary metric was declared"]
    found += [f"check {check.status}: {check.name}" for check in evidence.checks if check.status != "passed"]
    found += _depends(evidence)
    if evidence.gate is None:
        found.append("the audience was not put to the system gate of the fidelity lab")
    elif evidence.unsealed:
        found.append(f"the examination of the audience {evidence.unsealed}")
    elif not evidence.gate:
        found.append("the audience did not pass the system gate of the fidelity lab on these data")
    if evidence.truth is False:
        found.append("the audience did not pass the truth lab: under random exposure it orders recommenders otherwise")
    return found


def _depends(evidence: Evidence) -> list[str]:
    """Said with every word: an order that turns with the audience or with what is extrapolated is an assumption."""
    return [reason for reason in (evidence.audiences_differ, evidence.extrapolated) if reason]
