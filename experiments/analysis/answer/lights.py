"""The trust light: this test, its audience against reality, and real people, in words that anyone knows."""

from __future__ import annotations

from groundlings.experiments.analysis.answer.finding import Finding
from groundlings.experiments.analysis.answer.values import Light, State
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.fidelity_gate import Gate
from groundlings.experiments.analysis.comparison.held_out import Source
from groundlings.experiments.analysis.comparison.real_behaviour import ORDER_CHECK, REPEAT_CHECK
from groundlings.experiments.analysis.comparison.verdict import failed
from groundlings.experiments.analysis.report.formatting import plural
from groundlings.experiments.analysis.report.real_sentences import first_recommender

_PLAIN = {
    "A/A": "no recommender was tried twice to see that it agrees with itself",
    "the bootstrap agrees": "too few people to resample",
}
"""Beginnings of the names of checks -> what it means that they failed or could not be made."""

_CHOSE: dict[Source, str] = {
    "random exposures": "of what they were shown at random",
    "logged exposures": "of what they were shown",
    "held-out behaviour": "later",
}
"""Evidence of real people -> when, or of what, they chose."""


def lights_of(comparison: Comparison, finding: Finding, past_tests: int = 0) -> tuple[Light, Light, Light]:
    """Three lines.

    Args:
        comparison: What was found.
        finding: What it comes to.
        past_tests: On how many tests on real people the effects were corrected.
    """
    return _test(comparison), _audience(comparison, finding), _people(comparison, finding, past_tests)


def _test(comparison: Comparison) -> Light:
    checks = comparison.all_checks
    passed = sum(check.status == "passed" for check in checks)
    wrong, missing = failed(checks), [check for check in checks if check.status == "not run"]
    state: State = "bad" if any(check.spoils for check in wrong) else "warn" if wrong or missing else "good"
    said = f"{passed} of {plural(len(checks), 'check')} passed"
    if wrong:
        said += f"; failed: {_check(wrong[0].name)}{_more(len(wrong))}"
    if missing:
        said += f"; {len(missing)} not made: {_check(missing[0].name)}{_more(len(missing))}"
    if comparison.preference is None and not comparison.declared:
        said += "; no deciding metric was declared beforehand"
        state = "warn" if state == "good" else state
    return Light("Test", state, f"{said}.")


def _check(name: str) -> str:
    return next((plain for start, plain in _PLAIN.items() if name.startswith(start)), name)


def _more(number: int) -> str:
    return f" and {number - 1} more" if number > 1 else ""


def _audience(comparison: Comparison, finding: Finding) -> Light:
    """Whether the simulated people are like real ones: by the labs, and by what real people did with the same arms."""
    state, said = _examined(comparison)
    stance = _stance(comparison, finding.leader)
    if stance is not None:
        colour, words = stance
        said = f"{words}; {said}" if state == "unknown" else f"{said}; {words}"
        state = "bad" if colour == "bad" else "warn" if (state, colour) == ("unknown", "good") else state
    wrong = {check.name for check in failed(comparison.checks)}
    if ORDER_CHECK in wrong:
        said += "; other kinds of simulated people rank the recommenders differently"
    if REPEAT_CHECK in wrong:
        said += "; real people take up what they know more or less often"
    if wrong & {ORDER_CHECK, REPEAT_CHECK}:
        state = "warn" if state in ("good", "unknown") else state
    return Light("Audience", state, f"{said[:1].upper()}{said[1:]}.")


def _examined(comparison: Comparison) -> tuple[State, str]:
    gates = [gate for gate in (comparison.truth, comparison.gate) if gate is not None]
    if not gates:
        return "unknown", "whether these simulated people choose as real ones do was not examined"
    fitting = [gate for gate in gates if gate.counts]
    if not fitting:
        about = f"only on {gates[0].mismatch}" if gates[0].mismatch else f"in a file that {gates[0].unsealed}"
        return "unknown", f"compared with real people {about}"
    wrong = [gate for gate in fitting if not gate.passed]
    if wrong:
        return "warn", f"these simulated people missed the goal of agreeing with real ones{_agreement(wrong[0])}"
    random = " even with items shown at random" if comparison.truth in fitting else ""
    return "good", f"they order recommenders as real people do{random}{_agreement(fitting[0])}"


def _agreement(gate: Gate) -> str:
    if gate.sign_agreement is not None:
        return f" (same side in {100 * gate.sign_agreement:.0f} % of the pairs of recommenders)"
    return "" if gate.tau is None else f" (agreement {gate.tau:.2f} of 1)"


def _stance(comparison: Comparison, leader: ArmFindings | None) -> tuple[State, str] | None:
    """What real people did with the leader: held-out behaviour, or items that were shown to them."""
    if leader is None or leader.real is None:
        return None
    who, base = f"{leader.name}{first_recommender(comparison, leader.name)}", comparison.baseline
    found = leader.real.decided_by
    where = "behind" if found is not None and (found.difference.difference or 0.0) < 0 else "ahead of"
    told = leader.real.effects if found is None else (found,)
    chose = " and ".join(dict.fromkeys(_CHOSE[each.source] for each in told))
    match leader.real.stance:
        case "agrees":
            return "good", f"what the real users chose {chose} also puts {who} {where} {base}"
        case "disagrees" if not leader.headline.clear:
            return "unknown", f"what the real users chose {chose} puts {who} {where} {base}, not clear here"
        case "disagrees":
            return "bad", f"what the real users chose {chose} puts {who} {where} {base} instead"
        case "cannot tell":
            return "unknown", f"what the real users chose {chose} cannot tell whether {who} is ahead of {base}"
        case _:
            return None


def _people(comparison: Comparison, finding: Finding, past_tests: int) -> Light:
    """Whether any of this was ever tried on real people."""
    if past_tests:
        return Light("People", "good", f"Corrected by {plural(past_tests, 'test')} on real people.")
    leader = finding.leader
    effects = () if leader is None or leader.real is None else leader.real.effects
    shown = next((each for each in effects if each.source != "held-out behaviour"), None)
    if shown is None:
        return Light("People", "unknown", "No real person was shown these lists: all of this is simulated.")
    how = "at random" if shown.source == "random exposures" else "by a known rule"
    known = shown.difference
    reading = "cannot tell"
    if not comparison.metrics[comparison.plan.primary].measures_choice:
        reading = "is not about this metric"
    elif known.excludes_zero and leader is not None:
        same = (known.difference or 0.0) * (finding.direction or 1) * (leader.headline.effect.difference or 0.0) > 0
        reading = "agrees" if same else "says the opposite"
        if not same and not leader.headline.clear:
            reading = "has the other sign than the simulated effect, which is not clear"
    states: dict[str, State] = {"agrees": "good", "says the opposite": "bad"}
    state = states.get(reading, "unknown")
    return Light(
        "People",
        state,
        f"Once: {plural(known.n, 'real person', 'real people')} were shown items {how}; what they did {reading}"
        f"{'' if leader is None else first_recommender(comparison, leader.name)}.",
    )
