"""What to do next: what, why, and the command or key that does it."""

from __future__ import annotations

from groundlings.experiments.analysis.answer.finding import Finding, contradicted
from groundlings.experiments.analysis.answer.sizes import listed
from groundlings.experiments.analysis.answer.values import News
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.verdict import failed
from groundlings.experiments.analysis.metrics import Summary


def next_step_of(comparison: Comparison, summary: Summary, finding: Finding, news: tuple[News, ...]) -> str:
    """The one thing that would help most now."""
    if comparison.run["status"] != "done":
        return (
            "Finish the run, because these figures are of a part of it, and read this page again: "
            "`groundlings run --resume RUN`."
        )
    if any(check.spoils for check in failed(comparison.checks)):
        return "Find out why the check failed before anything is decided; it stands under Can I believe it?"
    match finding.kind:
        case "preference" | "no preference":
            return (
                "Give each recommender lists of its own, because a preference has no size: run the two with "
                "`design: parallel` to learn how much it changes what people do."
            )
        case "not known":
            return "Ask why the replies could not be read (Details), mend that, and run again."
        case "not compared":
            if unheard := _ordered_nothing(finding, summary):
                return (
                    f"See what the model answered, because no reply to {listed(unheard)} put anything in order, and "
                    f"what {comparison.baseline} lists was listed: `groundlings runs show RUN`, under model lists."
                )
            return "Add a recommender that does something else, because nothing was compared: `arms` in the file."
        case "contradicted" | "does not hold":
            return _objected(finding)
        case _:
            return _compared(comparison, finding, news)


def _ordered_nothing(finding: Finding, summary: Summary) -> list[str]:
    """The arms that did what the baseline did because no reply of their language model put anything in order."""
    lists = {arm.name: arm.model_lists for arm in summary.arms}
    same = [(arm.name, lists.get(arm.name)) for arm in finding.same]
    return [name for name, found in same if found and 0 < found.questions == found.ordered_nothing]


def _objected(finding: Finding) -> str:
    leader = "it" if finding.leader is None else finding.leader.name
    if finding.leader is not None and contradicted(finding.leader):
        others = listed(arm.name for arm in finding.also)
        instead = f"; look at {others} instead" if others else ""
        return f"Do not ship {leader} on this: find out why (Why){instead}, and trust a test on real people only."
    return f"Do not ship {leader} as it is; mend what it harms, or change the plan in a new file with a new seed."


def _compared(comparison: Comparison, finding: Finding, news: tuple[News, ...]) -> str:
    base, winner = comparison.baseline, finding.winner
    if finding.kind == "baseline ahead":
        others = "the other one" if len(comparison.arms) == 1 else "the others"
        return f"Keep {base}; Why shows what {others} did worse."
    if finding.leader is not None and finding.leader.headline.unvaried:
        if _same_for_people_who_differ(comparison, finding.leader):
            return (
                f"Let {finding.leader.name} and {base} differ in more, because every simulated user got as much out of "
                "one as out of the other, and more users would show the same."
            )
        return (
            "Let simulated users decide who differ from each other, because more of these would show the same: "
            "another `mind` in the file, such as `behavioural`."
        )
    if finding.kind == "no clear winner":
        if _would_have_shown(comparison, finding.leader):
            return (
                f"Decide by something else, such as cost, because a difference as large as the plan asks for would "
                f"have been found {100 * comparison.plan.power:g} times in 100, and none is clear."
            )
        planned = ", and declare beforehand which metric decides (`plan`)" if not comparison.declared else ""
        return (
            "Ask how many simulated users it takes to see a difference that matters, because chance hides it among "
            f"so few: `groundlings power FILE`, FILE being this experiment's file{planned}."
        )
    if not comparison.declared or finding.kind == "no direction":
        return (
            "This was a look around, and what is picked afterwards is easily chance: write down which metric decides "
            "and what is too small to matter (`plan`), and run that in a new file with a new seed."
        )
    names = [] if winner is None else [winner.name, *(arm.name for arm in finding.tied)]
    if finding.kind == "tied":
        bad = " or by their bad news" if any(each.state in ("bad", "warn") for each in news) else ""
        choice = f"Choose between {listed(names, most=9)} by cost{bad}"
    else:
        choice = f"Weigh the bad news about {listed(names)}" if any(each.state == "bad" for each in news) else ""
    if comparison.gate is None and comparison.truth is None:
        return _examined_first(choice, names)
    test = f"test {listed(names)} against {base} on real people, because all of this is simulated"
    return f"{choice}, then {test}." if choice else f"{_first(test)}."


def _would_have_shown(comparison: Comparison, leader: ArmFindings | None) -> bool:
    """Whether the test was large enough for the smallest effect that the plan calls worth having."""
    if leader is None or not comparison.declared:
        return False
    found = leader.headline
    return bool(found.detectable) and found.smallest is not None and (found.detectable or 0.0) <= found.smallest


def _same_for_people_who_differ(comparison: Comparison, arm: ArmFindings) -> bool:
    """Whether people who differ from each other have one value each, whichever of the two arms they live in."""
    people = comparison.standing.means.get(comparison.baseline)
    return arm.headline.effect.difference == 0 and people is not None and bool(people.standard_error)


def _examined_first(choice: str, names: list[str]) -> str:
    """Of an audience that was never held against reality: do that, before a test on people costs anything."""
    examine = "hold these simulated users against real ones, because nothing yet says that they choose alike"
    command = "`groundlings fidelity FILE`, FILE being this experiment's file (some minutes)"
    if choice:
        return f"{choice}. Then {examine}: {command}. Only then test on people."
    return f"{_first(examine)}: {command}. Then test {listed(names)} on real people."


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]
