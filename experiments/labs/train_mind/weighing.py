"""A model weighed on some scenes: its answers, and the table beside its rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.train_mind.examples import questions_of
from groundlings.experiments.labs.train_mind.rivals import Rivals
from groundlings.experiments.labs.train_mind.scenes import Ground, Material
from groundlings.experiments.labs.train_mind.scoring import Said, Scores, ask_network, baselines, groups_of, taste_of
from groundlings.experiments.labs.train_mind.slices import NEW_ITEMS
from groundlings.experiments.labs.train_mind.table import Row, Table, Weight, Worth, worth_of
from groundlings.experiments.labs.train_mind.token_trees import Prompts
from groundlings.personas.taste.model import Taste

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.network import Network


@dataclass(frozen=True)
class Weighed:
    """What a model is worth on some scenes.

    Attributes:
        name: Of the slice, or "all".
        people, scenes, lists: Who and what was asked about, of the test third.
        asked: Questions, unreadable answers and tokens, of both thirds.
        rows: One per scorer and figure.
        weights: What the model adds to each other score; none where no answer of it could be read.
        worth: The same per 1,000 tokens.
    """

    name: str
    people: int
    scenes: int
    lists: int
    asked: Mapping[str, int]
    rows: Sequence[Row]
    weights: Sequence[Weight]
    worth: Sequence[Worth]

    def find(self, scorer: str, figure: str) -> Row:
        """One row."""
        return next(row for row in self.rows if (row.scorer, row.figure) == (scorer, figure))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        plain = asdict(self)
        return plain | {"asked": dict(self.asked)}


def weigh(
    ground: Ground,
    materials: Mapping[str, Material],
    network: Network,
    tokenizer: Any,
    scorer: str,
    on_scenes: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> Iterator[Weighed]:
    """Ask a model about each material and weigh the answers, one material after the other.

    Args:
        ground: The data.
        materials: Name -> scenes.
        network: Who is asked.
        tokenizer: Of the model.
        scorer: What the model is called in the tables.
        on_scenes: Told how many scenes of which material are done, of how many.
    """
    tastes: list[tuple[Interactions, Taste]] = []
    for name, material in materials.items():
        groups, statistics = groups_of(material), material.groups.statistics
        questions = questions_of(ground.dataset, groups, statistics, ground.config.question)
        prompts = {group: Prompts(tokenizer, each) for group, each in questions.items()}
        said = ask_network(network, prompts, groups, partial(on_scenes, name))
        taste = next((each for rows, each in tastes if rows is statistics), None) or taste_of(ground, material)
        tastes = [(statistics, taste)]
        known: dict[str, Scores] = dict(baselines(ground, material, taste))
        known |= Rivals(statistics, ground.dataset.catalog).score(groups, new=name == NEW_ITEMS)
        yield _weighed(ground, name, material, said, known, scorer)


def _weighed(
    ground: Ground, name: str, material: Material, said: Said, known: Mapping[str, Scores], scorer: str
) -> Weighed:
    table = Table(groups_of(material), ground.config.bootstrap, ground.chance("people", name))
    weights = table.weights(said.scores, known)
    return Weighed(
        name=name,
        people=len(np.unique(material.groups.test.users)),
        scenes=len(material.groups.test),
        lists=len(material.test_lists),
        asked={"questions": said.asked, "unreadable": said.unreadable, "tokens": said.tokens},
        rows=table.rows({**known, scorer: said.scores}),
        weights=weights,
        worth=worth_of(weights, said.asked, said.tokens),
    )
