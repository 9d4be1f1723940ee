"""Whether the sample of a hybrid mind can be drawn from the people of an experiment."""

from __future__ import annotations

from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.plugins import nearest
from groundlings.experiments.analysis.comparison.persona_columns import TRAITS
from groundlings.experiments.config.schema import ExperimentConfig, HybridMindConfig
from groundlings.personas.population import Population


def sample_size(config: ExperimentConfig, agents: int) -> int:
    """How many of a run's agents live by the language mind, too."""
    return config.mind.people(agents) if isinstance(config.mind, HybridMindConfig) else 0


def check_sample(config: ExperimentConfig, dataset: Dataset, population: Population) -> None:
    """Return if the sample of a hybrid mind can be drawn; other minds have none.

    Raises:
        ConfigError: A stratum has a name that nobody knows, or the pilot is not smaller than the sample.
    """
    mind, people = config.mind, sample_size(config, len(population))
    if not isinstance(mind, HybridMindConfig) or not people:
        return
    known = dict.fromkeys([*TRAITS, *(name for user in population.users for name in dataset.people.attributes[user])])
    for place, name in enumerate(mind.strata):
        if name not in known:
            raise ConfigError(
                f"mind.strata[{place}]: found {shown(name)}{nearest(name, list(known))}; expected one of "
                f"{', '.join(known)}"
            )
    if mind.pilot >= people:
        raise ConfigError(
            f"mind.pilot: found {mind.pilot} in a sample of {people:,} people; expected fewer, because the pilot is "
            "the first part of it"
        )
