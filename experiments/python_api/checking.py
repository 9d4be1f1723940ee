"""Looking at an experiment before it runs."""

from __future__ import annotations

import io
from dataclasses import dataclass

from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.python_api.arms import is_fixed
from groundlings.experiments.running.beginning import check_beginning
from groundlings.experiments.running.cost import Estimate, estimate, print_plan
from groundlings.experiments.running.event_loop import outside_of_loops
from groundlings.experiments.running.events import Printing
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.supplied import Supplied
from groundlings.experiments.terminal import Terminal
from groundlings.recommenders.supplied import check_answers

_PEOPLE = 8
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """What a run would do; as text it is what `groundlings check` prints.

    Attributes:
        people, items, training_interactions: How many.
        bounds: The most that a run can take: sessions, pages, calls to a language model, tokens and money.
    """

    people: int
    items: int
    training_interactions: int
    bounds: Estimate
    _text: str

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text


def check_plan(config: ExperimentConfig, supplied: Supplied) -> Checked:
    """Resolve everything, ask objects for a few lists, and say what a run would do; works in a notebook, too."""
    return outside_of_loops(
        lambda progress: _checked(build_plan(config, supplied=supplied, progress=progress)), Printing()
    )


def _checked(plan: Plan) -> Checked:
    check_beginning(plan)
    users = plan.population.users[:_PEOPLE]
    request = RankingRequest(
        users,
        plan.environment.page_size * plan.environment.max_pages,
        rows_of(plan.first_seen, users),
        Draws.for_sessions(plan.config.seed, users, 0),
    )
    for arm in plan.config.arms:
        if is_fixed(arm):
            check_answers(plan.recommender(arm), request, len(plan.dataset.catalog), name=f"arms[{arm.name!r}]")
    written = io.StringIO()
    print_plan(plan, Terminal(file=written, width=_WIDTH))
    return Checked(
        people=len(plan.population),
        items=len(plan.dataset.catalog),
        training_interactions=len(plan.split.train),
        bounds=estimate(plan),
        _text=written.getvalue().rstrip(),
    )
