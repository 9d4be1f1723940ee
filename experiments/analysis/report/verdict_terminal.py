"""A comparison on one screen of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from groundlings.experiments.analysis.answer.sizes import chance, ranked
from groundlings.experiments.analysis.answer.values import Row
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.power import MOST_AGENTS
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.analysis.report import real_sentences
from groundlings.experiments.analysis.report import verdict_sentences as say
from groundlings.experiments.analysis.report.formatting import NOTHING, audience, count, decimal, plural, signed
from groundlings.experiments.analysis.report.hybrid_terminal import print_hybrid
from groundlings.experiments.analysis.report.objective_terminal import print_objectives
from groundlings.experiments.terminal import escape

if TYPE_CHECKING:
    from groundlings.experiments.analysis.comparison.pilot import Need, Pilot

COLOURS = {"validated": "bold green", "indicative": "bold yellow", "not supported": "bold red"}
_MARKS = {"passed": "[green]\N{CHECK MARK}[/]", "failed": "[red]\N{MULTIPLICATION X}[/]", "not run": "[yellow]?[/]"}


def print_verdict(comparison: Comparison, console: Console, rows: Sequence[Row] = ()) -> None:
    """What was declared, what was checked, what was found, and the words for it.

    Args:
        comparison: What was found.
        console: Where it is printed.
        rows: Of the answer: the order of the table, and each arm's chance to be best.
    """
    run, metric = comparison.run, say.primary(comparison)
    mean = say.baseline_mean(comparison)
    against = f", against {escape(comparison.baseline)} ({escape(metric.label.lower())} {mean})"
    console.print(
        f"[bold]{escape(str(run['experiment']))}[/]  {audience(run)}, {plural(run['days'], 'day')}"
        f"{against if comparison.preference is None else ''}"
    )
    _line(console, "plan" if comparison.preference is None else "design", escape(say.plan(comparison)))
    if missing := say.lost(comparison):
        _line(console, "unknown", f"[bold red]{escape(missing)}[/]")
    _line(console, "checks", _checks(comparison.all_checks))
    _line(console, "audience", escape(f"{say.gate(comparison.gate)} {say.truth(comparison.truth)}".rstrip()))
    if order := real_sentences.audience(comparison):
        _line(console, "", escape(order))
    if known := real_sentences.people(comparison):
        _line(console, "real", escape(known))
    if comparison.preference is not None:
        found = comparison.preference
        colour = "bold yellow" if found.clear else "bold"
        console.print(f"\n[{colour}]{escape(say.preferred(found))}[/]  [dim]a screen, not an effect size[/]")
        _line(console, "clicks", escape(say.preference(found)))
        return
    if not comparison.arms:
        console.print("\nNo arm competes with the baseline: bounds and copies of it are not compared.")
        return
    console.print(_table(comparison, rows))
    for arm in comparison.arms:
        console.print(f"[bold]{escape(arm.name)}[/]  [{COLOURS[arm.word]}]{say.word(arm)}[/]" + _why(arm))
        _details(arm, comparison, console)
    print_objectives(comparison, console)
    print_hybrid(comparison, console)
    console.print(f"[dim]{escape(interval_note(comparison))}[/]", soft_wrap=False)


def print_needs(pilot: Pilot, console: Console) -> None:
    """How many agents an experiment needs, metric by metric."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("metric and arm", "baseline", "SD", "agents needed", "MDE", "A/A p"):
        table.add_column(name, justify="left" if name == "metric and arm" else "right")
    seen = ""
    for need in pilot.needs:
        metric = pilot.metrics[need.metric]
        places = metric.decimals + 1
        if need.metric != seen:
            role = "  [dim](primary)[/]" if need.metric == pilot.primary else ""
            table.add_row(f"[bold]{escape(metric.label)}[/]{role}", decimal(need.baseline_mean, places))
        seen = need.metric
        table.add_row(
            f"  {escape(need.arm)}",
            "",
            decimal(need.sd, places),
            NOTHING if need.agents is None else count(need.agents),
            _mde(need, places),
            "" if need.p_value is None else say.p_text(need.p_value),
        )
    console.print(table)
    each = " per comparison" if pilot.comparisons > 1 else ""
    console.print(
        f"Pilot of {plural(pilot.people, 'agent')}; alpha {pilot.alpha:g}{each}, "
        f"power {pilot.power:g}, smallest effect {100 * pilot.smallest_effect:g} % of the baseline. "
        f"MDE: what {plural(pilot.planned, 'agent')}, as the file plans, can detect. The pilot reports no effects.",
        highlight=False,
    )
    console.print(
        "SD: of the agents' own differences to the first arm. other draws: the first arm twice, the second time with "
        "other random numbers (A/A); its p values should be uniform. Agents needed and MDE count those without a value "
        "as well, as many in a hundred as the pilot has. All three are estimates: --json has their 95 % intervals.",
        style="dim",
        highlight=False,
    )
    if pilot.in_place_of is not None:
        console.print(
            f"The pilot's agents decide by mind: behavioural. The file's mind ({escape(pilot.in_place_of)}) was "
            "not asked, and agents who decide by it may differ more or less: take these numbers as a first guess.",
            highlight=False,
        )
    if pilot.without_ties:
        console.print(
            "The pilot has no ties (mind.social): agents who hear from each other are not independent, so take these "
            "numbers as the least that is needed.",
            highlight=False,
        )
    console.print(f"[bold]{escape(needed(pilot))}[/]", highlight=False)


def needed(pilot: Pilot) -> str:
    """Whether the agents that are planned are enough, in a sentence: on the primary metric, or the first one."""
    needs = [need for need in pilot.needs if not need.twin]
    primary = pilot.primary or (needs[0].metric if needs else None)
    ours = [need for need in needs if need.metric == primary]
    unknown = [need.arm for need in ours if need.sd is None]
    if primary is None or len(unknown) == len(ours):
        # The first arm with other draws is there whatever competes, where two agents have a value.
        if not ours and any(need.metric == primary and need.sd is not None for need in pilot.needs):
            return "No arm competes with the first one, so no number of agents is needed."
        return (
            "Fewer than two agents of the pilot have a value in two arms: how much agents differ, and so how many are "
            "needed, is not known."
        )
    label = pilot.metrics[primary].label.lower()
    chosen = "" if pilot.primary else ", the first metric (the file has no plan)"
    aim = f"an effect of {100 * pilot.smallest_effect:g} % on {label}{chosen}"
    missing = (
        f" This leaves out {', '.join(unknown)}: how many it takes there is not known, because fewer than two agents "
        "of the pilot have a value in that arm and in the first."
        if unknown
        else ""
    )
    if not any(need.sd for need in ours):
        alike = "Every user of the pilot did the same: there is no spread to test against, so no number is needed."
        return alike + missing
    hopeless = [need.arm for need in ours if need.agents is None and need.sd]
    if hopeless:
        none = (
            f"No number of agents finds {aim} for {', '.join(hopeless)}: nobody has a value, the baseline is 0, or it "
            f"is too small for {MOST_AGENTS:,} agents."
        )
        return none + missing
    most = max(ours, key=lambda need: need.agents or 0)
    wanted = most.agents or 0
    enough = "enough" if wanted <= pilot.planned else "too few"
    least = "" if enough == "enough" else f"; these find {_share(most.detectable_share, 0)} or more"
    return (
        f"To find {aim}, {plural(wanted, 'agent is', 'agents are')} needed; the file plans {count(pilot.planned)}: "
        f"{enough}{least}.{_how_sure(most, pilot.planned)}{missing}"
    )


def _how_sure(need: Need, planned: int) -> str:
    """How well a pilot tells the agents that are needed, in a sentence."""
    if need.agents is None or need.agents_low is None or need.agents_high is None:
        return " How sure that number is, so small a pilot does not tell."
    sure = planned < need.agents_low or planned >= need.agents_high
    doubt = "" if sure else "; whether the plan is enough is not sure"
    return f" The pilot tells that number to between {count(need.agents_low)} and {count(need.agents_high)}{doubt}."


def _mde(need: Need, places: int) -> str:
    """The effect that would be found; a dash where nobody differs, and so nothing is known of it."""
    if need.detectable is None:
        return NOTHING
    return f"{decimal(need.detectable, places)} ({_share(need.detectable_share, 1)})"


def _share(of_baseline: float | None, decimals: int) -> str:
    return "n/a" if of_baseline is None else f"{100 * of_baseline:.{decimals}f} %"


def interval_note(comparison: Comparison) -> str:
    """What the intervals are."""
    kinds = dict.fromkeys(arm.headline.interval for arm in comparison.arms)
    return (
        f"Interval: {', '.join(kinds)}; over agents, {100 * (1 - comparison.plan.alpha):g} %. "
        "Segments by Benjamini-Hochberg, guardrails by Holm. Chance to be best, likely rank: how often its mean is "
        "best in resamples of agents, its ranks in 95 % of them. The effect's interval decides; a lift's holds the "
        "first arm's noise, too. Intervals measure the noise of the simulation, not its distance from real users."
    )


def _table(comparison: Comparison, rows: Sequence[Row]) -> Table:
    metric = say.primary(comparison)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("arm", "effect", "interval", "lift", "p", "chance to\nbe best", "likely\nrank"):
        table.add_column(name, justify="left" if name == "arm" else "right", overflow="fold")
    places = {row.name: place for place, row in enumerate(rows)}
    for arm in sorted(comparison.arms, key=lambda each: places.get(each.name, 0)):
        found = arm.headline
        table.add_row(
            escape(arm.name),
            signed(found.effect.difference, metric.decimals),
            escape(say.bounds(found.effect, metric)),
            escape(say.lift(found.lift)),
            say.p_text(found.adjusted_p),
            chance(comparison.standing.chances.get(arm.name)),
            ranked(arm.ranks),
        )
    return table


def _details(arm: ArmFindings, comparison: Comparison, console: Console) -> None:
    metric = say.primary(comparison)
    if found := real_sentences.real(comparison, arm):
        _line(console, "real", _stance(arm, escape(found)))
    if rests_on := real_sentences.extrapolated(comparison, arm):
        _line(console, "outside", escape(rests_on))
    if not arm.headline.clear and (missed := say.missed(comparison, arm.headline)):
        _line(console, "power", escape(missed))
    elif alike := say.unvaried(arm.headline):
        _line(console, "power", escape(alike))
    if arm.guardrails:
        guardrails = (say.guardrail(guard, comparison.metrics[guard.metric]) for guard in arm.guardrails)
        _line(console, "guarded", escape("; ".join(guardrails)))
    if arm.variants is not None:
        _line(console, "variants", escape(say.variants(arm.variants, metric)))
    if len(arm.days) > 1 and (days := say.days(arm, metric)):
        _line(console, "days", escape(days))
    first = say.first_run(comparison)
    _line(console, "segments", escape(f"{first}{say.segments(arm, metric, comparison.plan.alpha)}"))
    if measured := say.denominator(comparison, arm):
        _line(console, "measured", escape(measured))
    if arm.harm is not None:
        _line(console, "agents", escape(f"{first}{say.harm(arm, metric.higher_is_better)}"))


def _checks(checks: list[Check]) -> str:
    """Passed ones as a count, marked as the worst of all checks is, the others one by one."""
    found = [check.status for check in checks]
    worst = next((status for status in ("failed", "not run") if status in found), "passed")
    lines = [f"{_MARKS[worst]} {found.count('passed')} of {plural(len(checks), 'check')} passed"]
    lines += [
        f"{_MARKS[check.status]} {escape(check.name)}: {escape(check.finding)}"
        for check in checks
        if check.status != "passed"
    ]
    return "\n".join(lines)


def _why(arm: ArmFindings) -> str:
    return f"  [dim]because {escape('; '.join(arm.reasons))}[/]" if arm.reasons else ""


def _stance(arm: ArmFindings, text: str) -> str:
    return f"[bold red]{text}[/]" if arm.real is not None and arm.real.stance == "disagrees" else text


def _line(console: Console, label: str, text: str) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=8, style="dim")
    grid.add_column()
    grid.add_row(label, text)
    console.print(Padding(grid, (0, 0, 0, 2)))
