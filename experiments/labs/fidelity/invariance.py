"""Part 7: what changes when titles are swapped and demographics reversed?

A language model may have memorised a title, or act by stereotypes of age and gender. A mind that reads neither cannot.
To measure this, the taste is fitted again on the changed data set, and every decision is compared.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.dataset import Dataset
from groundlings.environments.people import People
from groundlings.experiments.labs.fidelity.records import Record
from groundlings.experiments.labs.fidelity.sessions import decide
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.personas.taste.model import fit_taste

PART = "memorisation and stereotype"


def examine_invariance(stage: Stage) -> list[Record]:
    """Records of part 7."""
    chance = stage.chance("invariance")
    width = stage.config.site.page_size
    pages = chance.permuted(np.tile(np.arange(stage.train.n_items), (len(stage.testers), 1)), axis=1)[:, :width]
    before = decide(stage, stage.mind, stage.testers, pages.astype(np.int32), day=0)
    # Both changes in one refit: if a decision changed, each would have to be tried alone.
    changed = with_other_titles(with_other_demographics(stage.dataset, chance), chance)
    taste = fit_taste(changed, stage.train, salt=stage.config.split.salt, seed=stage.seed)
    population = replace(stage.population, people=changed.people, catalog=changed.catalog)
    mind = stage.mind_with(taste=taste, population=population)
    after = decide(stage, mind, stage.testers, pages.astype(np.int32), day=0)
    stars, changed_stars = before["rate"], after["rate"]
    same = (before["click"] == after["click"]) & (
        (stars == changed_stars) | (np.isnan(stars) & np.isnan(changed_stars))
    )
    share = float((~same).mean())
    definition = (
        "Share of slots of random pages in which click or stars differ after titles were permuted over items, "
        "demographics over users with genders swapped, and the taste was fitted again. This mind reads no titles and "
        "no demographics, so zero is expected, and this is no test of memorisation."
    )
    return [
        Record(PART, "titles swapped, demographics turned round", MIND, "decisions changed", "mind", share,
               None, None, len(stage.testers), "people", definition, holds=share == 0.0)
    ]  # fmt: skip


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
