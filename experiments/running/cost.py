"""What running a configuration would do, before anything is asked or written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table

from groundlings.environments.dataset import TIMES_UNKNOWN
from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.environments.split import tied_cuts
from groundlings.environments.words import persons, plural
from groundlings.experiments.analysis.metrics.registry import absent_metrics
from groundlings.experiments.config.designs import SplitDesign, shares_of
from groundlings.experiments.config.minds import ConversingLanguageMindConfig, models_of_minds
from groundlings.experiments.config.schema import CalibratedMindConfig, LanguageMindConfig, PluginMindConfig
from groundlings.experiments.config.variants import cells_of
from groundlings.experiments.running.arm_calls import ArmCalls, arm_lines, arms_calls, budget_note, together
from groundlings.experiments.running.asking_time import Wish, asking_lines
from groundlings.experiments.running.click_level import level_warning
from groundlings.experiments.running.exposures import exposures_warning
from groundlings.experiments.running.hybrid_cost import plan_of_sample, sample_lines
from groundlings.experiments.running.idle_keys import idle_lines
from groundlings.experiments.running.interventions import stated
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.sizes import personas_line, sessions_at_most, size_warning, store_line
from groundlings.experiments.terminal import escape
from groundlings.recommenders.random_order import RandomOrderRecommender
from groundlings.simulator.interventions import in_words
from groundlings.simulator.language.budget import amount
from groundlings.simulator.session import browse

_SAMPLE = 8

_Row = tuple[str, str]
"""A label, and what stands beside it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Upper bounds, and the size of a call measured on a few prompts.

    Attributes:
        sessions: All of them, if everybody comes every day.
        pages: Pages, if everybody sees all of them.
        calls: Calls of agents to a language model for pages, thoughts and interviews; none for the other minds.
        prompt_tokens, completion_tokens: Of all calls, by the rule of thumb of the scripted model.
        money: What they cost where the file says what tokens cost, without any prefix cache; None where it does not.
        arms: Calls of the arms' recommenders, for each arm that names a model; in none of the above.
    """

    sessions: int
    pages: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    money: float | None = None
    arms: tuple[ArmCalls, ...] = ()


def estimate(plan: Plan) -> Estimate:
    """The most that a run can take; of all its replicates together, where the configuration asks for some."""
    if plan.config.variants is not None:
        return _together([estimate(replace(plan, config=cell.config)) for cell in cells_of(plan.config)])
    pages, arms = sessions_at_most(plan) * plan.environment.max_pages, arms_calls(plan)
    if (sample := plan_of_sample(plan)) is not None:
        return replace(estimate(sample), sessions=sessions_at_most(plan), pages=pages, arms=arms)
    mind = plan.config.mind
    match mind:
        case LanguageMindConfig():
            calls = mind.calls_at_most(sessions_at_most(plan), pages, plan.environment.page_size)
            prompt, completion = asyncio.run(_tokens_a_call(plan))
        case CalibratedMindConfig() if mind.asked is not None:
            # A pair is asked about once in a run, wherever it is shown; these bounds know nothing of that.
            calls = pages * plan.environment.page_size + (0 if mind.calibration else mind.fit_people * mind.fit_pairs)
            prompt, completion = asyncio.run(_tokens_a_pair(plan, mind))
        case _:
            return Estimate(sessions_at_most(plan), pages, 0, 0, 0, arms=arms)
    tokens_in, tokens_out = round(calls * prompt), round(calls * completion)
    prices = mind.model.budget.prices
    money = prices.cost(tokens_in, 0, tokens_out) if prices else None
    return Estimate(sessions_at_most(plan), pages, calls, tokens_in, tokens_out, money, arms)


def _together(runs: Sequence[Estimate]) -> Estimate:
    prices = [run.money for run in runs]
    return Estimate(
        sessions=sum(run.sessions for run in runs),
        pages=sum(run.pages for run in runs),
        calls=sum(run.calls for run in runs),
        prompt_tokens=sum(run.prompt_tokens for run in runs),
        completion_tokens=sum(run.completion_tokens for run in runs),
        money=None if any(price is None for price in prices) else sum(price or 0.0 for price in prices),
        arms=together([run.arms for run in runs]),
    )


def _people_words(plan: Plan) -> str:
    people, made = len(plan.population), plan.dataset.synthetic
    if made is None:
        each = "measured" if people == 1 else "each measured"
        return f"{plural(people, 'agent')}, {each} on one real training history"
    return (
        f"{plural(people, 'agent')}, synthetic users ({plan.config.population.synthetic}), each with a history made "
        f"from those of {made.made_from.shape[1]} among {plural(made.first, 'real user')}"
    )


def print_plan(plan: Plan, console: Console, wish: Wish | None = None) -> None:
    """Print the plan and its estimate; `wish` is what somebody says of the servers that agents ask."""
    config, bound, wish = plan.config, estimate(plan), wish or Wish()
    table = Table(title=escape(config.name), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    rows = (*_what(plan), *_how_much(plan, bound), *_calls(plan, bound, wish), *_recommenders_calls(plan, bound, wish))
    for row in (*rows, *_under("engine", plan.execution.lines)):
        table.add_row(*row)
    console.print(table)
    for told in plan.returns.lines if plan.returns is not None else ():
        console.print(escape(told), soft_wrap=True)
    others = (*idle_lines(plan), size_warning(plan), level_warning(plan), exposures_warning(plan), _weights_note(plan))
    for warning in (*others, *_budget_notes(plan, bound)):
        if warning is not None:
            console.print(f"[yellow]note[/] {escape(warning)}", soft_wrap=True)
    console.print("[green]ok[/] this file runs")


def _under(label: str, lines: Iterable[str]) -> Iterator[_Row]:
    """Rows of which the first one is labelled."""
    for number, line in enumerate(lines):
        yield "" if number else label, escape(line)


def _what(plan: Plan) -> Iterator[_Row]:
    """What is simulated: data, people, arms, days."""
    config = plan.config
    items, rows = plural(len(plan.dataset.catalog), "item"), plural(len(plan.split.train), "training interaction")
    yield "data", f"{escape(plan.dataset.name)}: {items}, {rows}"
    for note in plan.dataset.notes:
        yield "", escape(note)
    yield from _split_lines(plan)
    for absent in _absent_lines(plan):
        yield "metrics", absent
    yield "people", _people_words(plan)
    yield "mind", escape(str(config.mind.kind))
    yield from _under("arms", [f"{arm.name} ({arm.recommender})" for arm in config.arms])
    yield "days", f"{plan.schedule.days}, recommenders refitted {_refits(plan)}"
    yield from _under("changes", in_words(stated(config)))
    yield "design", config.design.kind + (_shares(plan) if isinstance(config.design, SplitDesign) else "")


def _how_much(plan: Plan, bound: Estimate) -> Iterator[_Row]:
    """How many sessions and pages there are at most, and where they are logged."""
    config, people, cells = plan.config, len(plan.population), cells_of(plan.config)
    if config.variants is not None:
        yield "variants", f"{len(cells)} runs: {escape(', '.join(cell.name for cell in cells))}"
    times = f"{len(cells)} runs x " if len(cells) > 1 else ""
    times += f"{plural(len(config.arms), 'arm')} x " if config.design.kind == "parallel" else ""
    a_day = plan.schedule.most_sessions // plan.schedule.days
    several = f" x {a_day} sessions per day" if a_day > 1 else ""
    times += f"{persons(people)} x {plural(config.simulation.days, 'day')}{several}"
    yield "sessions", f"at most {bound.sessions:,} = {times}"
    slots = plan.environment.page_size
    yield "pages", f"at most {bound.pages:,} of {plural(slots, 'slot')}: {bound.pages * slots:,} impressions"
    yield "log", store_line(plan)
    if kept := personas_line(plan):
        yield "agents", kept


def _calls(plan: Plan, bound: Estimate, wish: Wish) -> Iterator[_Row]:
    """What agents ask a language model, and what that takes."""
    mind = plan.config.mind
    if bound.calls:
        asking = plan_of_sample(plan) or plan
        yield "calls", f"at most {bound.calls:,}{_calls_words(asking)}"
        yield "tokens", f"about {bound.prompt_tokens:,} in and {bound.completion_tokens:,} out at most"
        if bound.money is not None:
            place = next(iter(models_of_minds(mind)))
            yield "money", f"about {amount(bound.money, 2)} at most, at the prices of {place}.budget"
        yield from sample_lines(plan, bound)
        yield from asking_lines(asking, bound, wish)
    elif isinstance(mind, ConversingLanguageMindConfig):
        more = f", and up to {mind.reasks} more for each reply that cannot be read" if mind.reasks else ""
        yield "calls", f"at most {bound.pages:,}, one for each time a user speaks{more}; tokens are not foreseen"
    elif isinstance(mind, PluginMindConfig) and mind.asked is not None:
        yield "calls", escape(f"not known: {mind.kind} asks as it likes; mind.model.budget sets a cap")
    else:
        asked = sum(each.calls for each in bound.arms)
        whose = f"at most {asked:,}, all of them recommenders'" if asked else "none"
        yield "calls", f"{whose}: no language model decides"


def _recommenders_calls(plan: Plan, bound: Estimate, wish: Wish) -> Iterator[_Row]:
    """What recommenders ask a language model."""
    yield from _under("arms' calls", (line for arm in bound.arms for line in arm_lines(plan, arm, wish)))


def _budget_notes(plan: Plan, bound: Estimate) -> Iterator[str | None]:
    """A line for each model whose cap the plan can reach."""
    for key, asked in models_of_minds(plan.config.mind).items():
        tokens = bound.prompt_tokens, bound.completion_tokens
        yield budget_note(key, asked.budget, bound.calls, tokens, bound.money)
    of_arms = {each.arm: each for each in bound.arms}
    for place, arm in enumerate(plan.config.arms):
        if arm.model is not None:
            found = of_arms[arm.name]
            known = found.prompt_tokens is not None and found.completion_tokens is not None
            tokens_of_arm = (found.prompt_tokens or 0, found.completion_tokens or 0) if known else None
            yield budget_note(f"arms[{place}].model", arm.model.budget, found.calls, tokens_of_arm, found.money)


def _weights_note(plan: Plan) -> str | None:
    """A line about weights of the data that no recommender reads; None where one does, or an own one may."""
    arms = plan.config.arms
    own = any(":" in arm.recommender for arm in arms)
    if plan.split.train.weights is None or own or any("'weights': 'log'" in repr(arm.options) for arm in arms):
        return None
    return (
        "weight: the data say how much of an item each interaction was, and no arm looks at it; with `options: "
        "{weights: log}`, als, ease and item_knn count larger amounts more"
    )


def _absent_lines(plan: Plan) -> Iterator[str]:
    """Shipped metrics that these data cannot have, a line per reason."""
    absent = absent_metrics(plan.environment.schema.names)
    for reason in dict.fromkeys(absent.values()):
        names = [name for name, why in absent.items() if why == reason]
        yield f"n/a: {', '.join(names)} ({reason})"


def _split_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """What is held out, and what is not known of time: rows of the table."""
    split, kind = plan.split, plan.config.split.kind
    without = len(split.dropped_users)
    parts = [f"{plural(len(split.test), 'interaction')} held out"]
    parts += [f"{split.left_out:,} left out"] if split.left_out else []
    are = "is no agent" if without == 1 else "are no agents"
    parts += [f"{plural(without, 'user')} without a training interaction {are}"] if without else []
    yield "split", f"{kind}: {', '.join(parts)}"
    if not plan.dataset.times_known:
        yield "time", TIMES_UNKNOWN
    elif kind == "per_user_temporal" and (tied := tied_cuts(split)):
        held_out = int((np.bincount(split.test.users) > 0).sum())
        yield (
            "",
            f"for {tied:,} of {plural(held_out, 'user')} the held-out part begins among interactions of one "
            "moment: the order of rows in the data decided which it holds",
        )


def _calls_words(plan: Plan) -> str:
    mind = plan.config.mind
    if isinstance(mind, CalibratedMindConfig):
        fit = (
            ""
            if mind.calibration
            else f"; {mind.fit_people * mind.fit_pairs:,} of them only if weights are to be fitted"
        )
        return f": one for each person and item, the first time it is shown{fit}"
    assert isinstance(mind, LanguageMindConfig)
    parts = ["one per page" if mind.decision == "verdict" else "for every slot, its stars and two per page"]
    if mind.social is not None and mind.social.turns is not None:
        parts.append("two per social turn")
    if mind.reflection.every:
        parts.append(f"a thought every {mind.reflection.every} sessions")
    if mind.interview.questions:
        parts.append("an interview a session")
    return f": {', '.join(parts)} (an unreadable reply is asked for again)"


def _shares(plan: Plan) -> str:
    assert isinstance(plan.config.design, SplitDesign)
    names = [arm.name for arm in plan.config.arms]
    shares = zip(names, shares_of(plan.config.design, names), strict=True)
    return (
        f": {', '.join(f'{escape(name)} {100 * share:.0f} %' for name, share in shares)}; log {plan.config.design.log}"
        + ("; by clusters" if plan.config.design.by == "clusters" else "")
    )


def _refits(plan: Plan) -> str:
    every = plan.schedule.refit_every
    return "never" if not every else "every night" if every == 1 else f"every {every} nights"


async def _tokens_a_pair(plan: Plan, mind: CalibratedMindConfig) -> tuple[float, float]:
    """Mean tokens in and out of the question about a pair, asked of the scripted model."""
    from groundlings.personas.minds.calibrated_question import LanguageScorer
    from groundlings.simulator.language.scripted import ScriptedModel, legal_reply

    scorer = LanguageScorer(plan.population, ScriptedModel(legal_reply), mind.question)
    asked = [
        each.call.reply
        for user in plan.population.users[:_SAMPLE]
        for each in await scorer.ask(int(user), range(min(_SAMPLE, len(plan.dataset.catalog))))
        if each.call is not None
    ]
    return (
        sum(reply.prompt_tokens for reply in asked) / len(asked),
        sum(reply.completion_tokens for reply in asked) / len(asked),
    )


async def _tokens_a_call(plan: Plan) -> tuple[float, float]:
    """Mean tokens in and out over the first session of a few agents, asked of the scripted model."""
    from groundlings.simulator.language.scripted import ScriptedModel, legal_reply

    mind = plan.config.mind.build(replace(plan.minds, model=ScriptedModel(legal_reply)))
    recommender = RandomOrderRecommender()
    recommender.fit(plan.split.train, plan.dataset.catalog)
    prompt, completion, calls = 0, 0, 0
    for agent in range(min(_SAMPLE, len(plan.population))):
        agents = np.array([agent])
        users = plan.population.users[agents]
        sessions = Sessions(agents, users, 0, Draws.for_sessions(plan.config.seed, users, 0))
        seen = rows_of(plan.first_seen, users)
        record = await browse(sessions, seen, recommender=recommender, environment=plan.environment, mind=mind)
        asked = [call for logged in record.turns for call in logged.calls]
        for call in (*asked, *record.afterthoughts.calls):
            prompt += call.reply.prompt_tokens
            completion += call.reply.completion_tokens
            calls += 1
    return prompt / max(calls, 1), completion / max(calls, 1)
