"""What to do next, in one sentence."""

from __future__ import annotations

from groundlings.experiments.analysis.answer.finding import Finding, contradicted
from groundlings.experiments.analysis.answer.sizes import listed
from groundlings.experiments.analysis.answer.values import News
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.verdict import failed


def next_step_of(comparison: Comparison, finding: Finding, news: tuple[News, ...]) -> str:
    """The one thing that would help most now."""
    if comparison.run["status"] != "done":
        return "Finish the run with `groundlings run --resume RUN`, then read this page again."
    if any(check.spoils for check in failed(comparison.checks)):
        return "Find out why the check failed before anything is decided; it stands under Can I believe it?"
    match finding.kind:
        case "preference" | "no preference":
            return "Run the two with `design: parallel` to learn how much it changes what people do."
        case "not known":
            return "Ask why the replies could not be read (Details), mend that, and run again."
        case "not compared":
            return "Add another recommender under `arms` and run again."
        case "contradicted" | "does not hold":
            return _objected(finding)
        case _:
            return _compared(comparison, finding, news)


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
        return f"Keep {base}; Why shows what the others did worse."
    if finding.kind == "no clear winner":
        planned = "" if comparison.declared else ", and declare beforehand which metric decides"
        return f"Ask `groundlings power` how many people it takes to see what matters{planned}."
    if not comparison.declared or finding.kind == "no direction":
        return (
            "This was a look around: write down which metric decides and what is too small to matter (`plan`), and run "
            "that in a new file with a new seed."
        )
    names = [] if winner is None else [winner.name, *(arm.name for arm in finding.tied)]
    if finding.kind == "tied":
        choice = f"Choose between {listed(names, most=9)} by cost or by their bad news"
    else:
        choice = f"Weigh the bad news about {listed(names)}" if any(each.state == "bad" for each in news) else ""
    if comparison.gate is None and comparison.truth is None:
        examine = "compare the simulated people with real ones (`groundlings fidelity`)"
        return (
            f"{choice}; then {examine} before you test on people."
            if choice
            else f"{_first(examine)}, then test {listed(names)} on real people."
        )
    test = f"test {listed(names)} against {base} on real people"
    return f"{choice}, then {test}." if choice else f"{_first(test)}."


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]
