"""The notes of agents between two runs: written after a recommender's first fit, checked before minds are told them."""

from __future__ import annotations

from pathlib import Path

from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import DataError
from groundlings.environments.words import plural
from groundlings.experiments.archive.directory import write_json
from groundlings.experiments.config.schema import ExperimentConfig, HybridMindConfig, LanguageMindConfig
from groundlings.experiments.running.events import Note, Progress
from groundlings.personas.agent_notes import (
    AGENT_NOTES_NAME,
    AgentNotesFile,
    AgentNotesOptions,
    ArmNotes,
    read_agent_notes,
    read_notes_file,
)
from groundlings.personas.population import Population
from groundlings.recommenders.agent_notes import noting_part
from groundlings.recommenders.base import AsyncRecommender


def write_agent_notes(
    directory: Path, config: ExperimentConfig, dataset: Dataset, arm: str, recommender: AsyncRecommender
) -> None:
    """Write the notes of an arm's agents into a run's directory, in place of what was there of this arm.

    Nothing is written where the recommender keeps no such agents. The notes are those of the training part: no
    simulated interaction has been learnt from yet.

    Raises:
        DataError: What is there already cannot be read.
    """
    part = noting_part(recommender)
    if part is None:
        return
    path, split = directory / AGENT_NOTES_NAME, config.split.model_dump(mode="json")
    users, items = dataset.people.user_ids, dataset.catalog.item_ids
    notes = ArmNotes(
        begins=part.first_note(),
        users={users[user]: note for user, note in sorted(part.user_notes().items())},
        items={items[item]: note for item, note in sorted(part.item_notes().items())},
    )
    known = read_notes_file(path)[0].arms if path.is_file() else {}
    file = AgentNotesFile(data=dataset.fingerprint, split=split, arms={**known, arm: notes})
    write_json(path, file.model_dump(mode="json"))


def named_agent_notes(config: ExperimentConfig) -> AgentNotesOptions | None:
    """The notes that an experiment's language mind, or that of its sample, is told; None where there are none."""
    mind = config.mind.language if isinstance(config.mind, HybridMindConfig) else config.mind
    return mind.agent_notes if isinstance(mind, LanguageMindConfig) else None


def check_agent_notes(config: ExperimentConfig, dataset: Dataset, population: Population, progress: Progress) -> None:
    """Return if the notes that minds are told were learnt from what this run may know, and say of how many.

    Raises:
        DataError: They cannot be read, or were learnt from other data, or from another part of it.
    """
    options = named_agent_notes(config)
    if options is None:
        return
    path, notes = config.base / options.path, read_agent_notes(options, config.base)
    split = config.split.model_dump(mode="json")
    for what, found, expected in (("data", notes.data, dataset.fingerprint), ("split", notes.split, split)):
        if found != expected:
            raise DataError(
                f"{path}: its agents learnt from another {what}, found {found}, expected {expected} as in this run; "
                "notes may tell nothing of what is held out here, so learn them anew with this data and split"
            )
    agents = [dataset.people.user_ids[user] for user in population.users]
    learnt = sum(user in notes.users for user in agents)
    noted = sum(item in notes.items for item in dataset.catalog.item_ids)
    progress.event(
        Note(
            f"{path}: {learnt:,} of {plural(len(agents), 'agent')} have a note that they learnt, the others begin as "
            f"every user agent does; {noted:,} of {plural(len(dataset.catalog), 'item')} are described by their own"
        )
    )
