"""What the first page of each user's first session is worth by the held-out part, read off the log.

Lists are those that the arm really showed, so that one which took calls to a language model is judged without asking
for it again. `held_out.json` asks recommenders for ten items; here as many count as a page has slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, FloatArray
from groundlings.environments.errors import UserError
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.archive.directory import existing_config
from groundlings.experiments.archive.strangers import strange
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.as_it_ran import not_as_it_ran
from groundlings.experiments.running.held_out.sample import choose_sample
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.simulator.log.reader import LogReader

SCORES = ("ndcg", "hit")
"""Of `metrics.ranking`, cut at the slots of a page."""


@dataclass(frozen=True, slots=True)
class FirstLists:
    """Each agent's first page, scored.

    Attributes:
        values: Arm -> score -> one value per agent in the order of the log, shape (n_agents,), NaN for those without
            held-out items or a session on the first day.
        cut: Ranks that count; 0 where nothing was scored.
        missing: Why nothing was, "" where something was.
    """

    values: dict[str, dict[str, FloatArray]]
    cut: int = 0
    missing: str = ""


def score_first_lists(directory: Path, log: LogReader) -> FirstLists:
    """Score the first pages of all arms of a run, or say why that cannot be done.

    Args:
        directory: The run's.
        log: Its log.
    """
    if why := strange(directory):
        return FirstLists({}, missing=f"{why}, so only its log is read")
    try:
        config = load_config(existing_config(directory))
        here = config.dataset.model_copy(update={"allow_download": False})
        plan = build_plan(config.model_copy(update={"dataset": here}))
    except UserError as fault:
        return FirstLists({}, missing=f"its data cannot be read ({fault})")
    if differing := not_as_it_ran(directory, config, plan):
        return FirstLists({}, missing=f"it is not what it ran with any more ({'; '.join(differing)})")
    if plan.dataset.synthetic is not None:
        return FirstLists({}, missing="its agents are synthetic users, who have no held-out part")
    return _scored(plan, log)


def _scored(plan: Plan, log: LogReader) -> FirstLists:
    sample = choose_sample(plan.population, plan.split, plan.config.seed, repeats=plan.config.repeats.allowed)
    if not len(sample.users):
        return FirstLists({}, missing="no agent has held-out items that lists could hold")
    people, cut = plan.dataset.people.user_ids, plan.environment.page_size
    row = {people[user]: place for place, user in enumerate(sample.users)}
    number = {name: place for place, name in enumerate(plan.dataset.catalog.item_ids)}
    agents = log.user_ids()
    places = np.array([row.get(name, -1) for name in agents], dtype=np.int64)
    found: dict[str, dict[str, FloatArray]] = {}
    for arm in log.visited_arms():
        shown = log.impressions(arm.name, ["session_id", "user_id", "day", "page", "rank", "item_id"])
        shown = shown[(shown.day == 0) & (shown.page == 1) & shown.user_id.isin(row)]
        shown = shown[shown.session_id == shown.groupby("user_id").session_id.transform("min")]
        # Rows of a carousel may show an item twice; the first place counts.
        shown = shown.sort_values(["user_id", "rank"]).drop_duplicates(["user_id", "item_id"])
        shown = shown.assign(slot=shown.groupby("user_id").cumcount())
        items = np.full((len(row), max(cut, int(shown.slot.max()) + 1 if len(shown) else 0)), NO_ITEM, dtype=np.int32)
        items[shown.user_id.map(row).to_numpy(), shown.slot.to_numpy()] = shown.item_id.map(number).to_numpy()
        came = (items != NO_ITEM).any(axis=1)
        scores = score_rankings(items, sp.csr_array(sample.relevant), cut).values
        found[arm.name] = {}
        for name in SCORES:
            known = np.append(np.where(came, scores[name], np.nan), np.nan)
            found[arm.name][name] = known[places]  # -1, an agent without held-out items, takes the NaN at the end
    return FirstLists(found, cut)
