"""Part 7: what changes when titles are swapped and demographics reversed?

A language model may have memorised a title, or act by stereotypes of age and gender. The behavioural mind reads no
titles, so nothing may change. It reads demographics where ratings of groups differ, so something may: how much is
reported, and claimed to be little. To measure both, the taste is fitted again on the changed data set, and every
decision is compared.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.arrays import ItemArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.decision import Decision
from groundlings.environments.people import People
from groundlings.experiments.labs.fidelity.records import Record
from groundlings.experiments.labs.fidelity.sessions import decide
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.personas.taste.model import fit_taste

PART = "memorisation and stereotype"
LITTLE = 0.05
"""Share of decisions about random pages that may depend on demographics."""


def examine_invariance(stage: Stage) -> list[Record]:
    """Records of part 7."""
    chance = stage.chance("invariance")
    width = stage.config.site.page_size
    pages = chance.permuted(np.tile(np.arange(stage.train.n_items), (len(stage.testers), 1)), axis=1)[:, :width]
    pages = pages.astype(np.int32)
    before = decide(stage, stage.mind, stage.testers, pages, day=0)
    turned = with_other_demographics(stage.dataset, chance)
    tasks = (
        ("titles swapped", with_other_titles(stage.dataset, chance), 0.0,
         "titles were permuted over items. This mind reads no titles, so zero is expected, and this is no test of "
         "memorisation."),
        ("demographics turned round", turned, LITTLE,
         "demographics were permuted over users, genders swapped. This mind reads them only as groups whose ratings "
         "differ, so a little is expected."),
    )  # fmt: skip
    records = []
    for task, changed, most, words in tasks:
        share = _changed(before, _decided_with(stage, changed, pages))
        definition = (
            "Share of slots of random pages in which the click, or an opinion that is said, differs after the taste "
            f"was fitted again and {words}"
        )
        records.append(
            Record(PART, task, MIND, "decisions changed", "mind", share, None, None, len(stage.testers), "people",
                   definition, holds=share <= most)
        )  # fmt: skip
    return records


def _decided_with(stage: Stage, changed: Dataset, pages: ItemArray) -> Decision:
    taste = fit_taste(changed, stage.train, salt=stage.config.split.salt, seed=stage.seed, labels=stage.split.labels)
    population = replace(stage.population, people=changed.people, catalog=changed.catalog)
    return decide(stage, stage.mind_with(taste=taste, population=population), stage.testers, pages, day=0)


def _changed(before: Decision, after: Decision) -> float:
    """Share of slots in which click or opinion differ."""
    same = before["click"] == after["click"]
    opinion = before.actions.schema.opinion
    if opinion is not None:
        told, changed = before[opinion], after[opinion]
        same &= (told == changed) | (np.isnan(told) & np.isnan(changed))
    return float((~same).mean())


def with_other_titles(dataset: Dataset, chance: np.random.Generator) -> Dataset:
    """The same items, each with the title and text of another one."""
    order = chance.permutation(len(dataset.catalog))
    catalog = replace(
        dataset.catalog,
        titles=tuple(dataset.catalog.titles[item] for item in order),
        texts=tuple(dataset.catalog.texts[item] for item in order),
    )
    return replace(dataset, catalog=catalog)


def with_other_demographics(dataset: Dataset, chance: np.random.Generator) -> Dataset:
    """The same users, each with another user's attributes, genders swapped."""
    turned = {"M": "F", "F": "M", "male": "female", "female": "male"}
    order = chance.permutation(len(dataset.people))
    attributes = tuple(
        {name: turned.get(value, value) for name, value in dataset.people.attributes[person].items()}
        for person in order
    )
    return replace(dataset, people=People(dataset.people.user_ids, attributes))
