"""The `split` and `population` parts of an experiment file: what is held out, and which users become agents."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from groundlings.environments.dataset import Dataset
from groundlings.environments.split import Split, SplitKind, split_dataset
from groundlings.environments.synthetic_users import Method
from groundlings.experiments.config.section import Section


class SplitConfig(Section):
    """The split of each history into a training part and a held-out part."""

    kind: SplitKind = "per_user_temporal"
    """`per_user_temporal` holds out the end of each user's history, `global_temporal` all rows after one moment,
    `random` random rows of each user, `given` what the data set says (`dataset.own.interactions.split` or
    `held_out`)."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the interactions that neither personas nor recommenders see; not read where the split is `given`."""
    salt: str = "groundlings"
    """Decides, with a user's id, which third of the users no model may be fitted on; and which rows `random` holds
    out."""

    @model_validator(mode="after")
    def _given_has_no_fraction(self) -> SplitConfig:
        if self.kind == "given" and self.test_fraction != type(self).model_fields["test_fraction"].default:
            raise ValueError("test_fraction: the split is given, so the data say what is held out; take the key out")
        return self

    def of(self, dataset: Dataset) -> Split:
        """The training part and the held-out part of a data set."""
        return split_dataset(dataset, self.kind, self.test_fraction, salt=self.salt)


class PopulationConfig(Section):
    """Which users become agents."""

    size: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["all"] = "all"
    """How many users become agents; a smaller population is part of a larger one with the same seed. Synthetic users
    may be more than there are real ones; `all` makes as many."""
    synthetic: Method | None = None
    """Agents are real users if absent. Otherwise every agent is a new user, whose history is made from several real
    ones: `resample` takes every real user in turn and moves their traits a little, `copula` draws the traits from the
    distribution that is fitted on the real users."""
    longest_history: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """No synthetic history is longer than so many interactions, so that many users need less memory; as long as real
    ones if absent."""

    @model_validator(mode="after")
    def _cut_are_synthetic(self) -> PopulationConfig:
        if self.longest_history is not None and self.synthetic is None:
            raise ValueError(
                "longest_history: only synthetic histories are cut; write synthetic: resample, or take the key out"
            )
        return self

    def of(self, dataset: Dataset, split: Split, seed: int) -> tuple[Dataset, Split]:
        """The data with the synthetic users that are asked for, and its split; both as they are where none are."""
        if self.synthetic is None:
            return dataset, split
        from groundlings.personas.synthesis.synthesize import add_synthetic_users

        limit = self.longest_history
        return add_synthetic_users(dataset, split, size=self.size, method=self.synthetic, seed=seed, most_rows=limit)
