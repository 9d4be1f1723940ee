"""Whether the sample of a hybrid mind can be drawn from the people of an experiment."""

from __future__ import annotations

from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.plugins import nearest
from groundlings.environments.words import persons, plural
from groundlings.experiments.analysis.comparison.persona_columns import TRAITS
from groundlings.experiments.analysis.hybrid.allocation import allocated
from groundlings.experiments.analysis.hybrid.reading import strata_in
from groundlings.experiments.config.schema import ExperimentConfig, HybridMindConfig
from groundlings.personas.population import Population


def sample_size(config: ExperimentConfig, agents: int) -> int:
    """How many of a run's agents live by the language mind, too."""
    return config.mind.people(agents) if isinstance(config.mind, HybridMindConfig) else 0


def people_asked(config: ExperimentConfig, population: Population) -> int:
    """How many people a sample comes to: two of every stratum at least, of the pilot's and of the whole, too."""
    mind, people = config.mind, sample_size(config, len(population))
    if not isinstance(mind, HybridMindConfig) or not people:
        return 0
    personas = (population.persona(row).as_dict() for row in range(len(population)))
    sizes = strata_in(personas if mind.strata else (), len(population), mind.strata).sizes
    first = allocated(sizes, mind.pilot) if mind.pilot else None
    return int(allocated(sizes, people, least=first).sum())


def check_sample(config: ExperimentConfig, dataset: Dataset, population: Population) -> None:
    """Return if the sample of a hybrid mind can be drawn; other minds have none.

    Raises:
        ConfigError: There are no such people, a stratum has a name that nobody knows, or the pilot is not smaller than
            the sample.
    """
    mind, people = config.mind, sample_size(config, len(population))
    if not isinstance(mind, HybridMindConfig) or not mind.sample:
        return
    if not people or mind.sample > len(population):
        raise ConfigError(
            f"mind.sample: found {mind.sample:,g} with {plural(len(population), 'agent')}, which is "
            f"{'nobody' if not people else 'more than there are'}; expected a number of them from 1 to "
            f"{len(population):,}, or a share below 1 that is one of them at least; 0 asks nobody"
        )
    known = dict.fromkeys([*TRAITS, *(name for user in population.users for name in dataset.people.attributes[user])])
    for place, name in enumerate(mind.strata):
        if name not in known:
            raise ConfigError(
                f"mind.strata[{place}]: found {shown(name)}{nearest(name, list(known))}; expected one of "
                f"{', '.join(known)}"
            )
    if mind.pilot >= people:
        raise ConfigError(
            f"mind.pilot: found {mind.pilot} in a sample of {persons(people)}; expected fewer, because the pilot is "
            "the first part of it"
        )
