"""Notes of user agents and item agents that learnt in an earlier run: what a language mind may know in their place.

`agentcf` lets users and items learn from each other by reflection (Zhang et al. 2024, "AgentCF", WWW), and its run
leaves their notes in `agent_notes.json`. An agent with such a note is told it instead of the portrait that its profile
gives, and a page describes items by theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import DataError, expectation, shown
from groundlings.environments.paths import NamedPath

AGENT_NOTES_NAME = "agent_notes.json"
"""The file in a run's directory."""

_MOST_BYTES = 2**30
"""Of that file: half a million notes of the longest kind."""

_Note = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class AgentNotesOptions(BaseModel):
    """Whose notes agents and items have: those of a recommender of an earlier run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: NamedPath
    """The `agent_notes.json` of a run of the same data and split, with an arm of `agentcf`."""
    arm: str | None = None
    """The arm of that run; not needed where one arm alone kept notes."""


class ArmNotes(BaseModel):
    """The notes of one arm's agents, as the file has them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    begins: _Note
    """What every user agent begins with."""
    users: dict[str, _Note]
    """User's id -> the note that was learnt."""
    items: dict[str, _Note]
    """Item's id -> the note that was learnt."""


class AgentNotesFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str
    """The fingerprint of the data set that was learnt from."""
    split: dict[str, Any]
    """The section `split` of that run: what was not to be learnt from."""
    arms: dict[str, ArmNotes]
    """Arm -> the notes of its first fit."""


@dataclass(frozen=True, slots=True)
class AgentNotes:
    """The notes that a mind is told.

    Attributes:
        begins: What user agents without a note of their own begin with.
        users: User's id -> note.
        items: Item's id -> note.
        data: The fingerprint of the data set that was learnt from.
        split: What was not to be learnt from, as in `AgentNotesFile`.
        sha256: Over the file.
    """

    begins: str
    users: Mapping[str, str]
    items: Mapping[str, str]
    data: str
    split: Mapping[str, Any]
    sha256: str

    def of_user(self, user_id: str) -> str:
        """What an agent has noted about itself."""
        return self.users.get(user_id, self.begins)


def read_notes_file(path: Path) -> tuple[AgentNotesFile, str]:
    """The file of a run, and its SHA-256.

    Raises:
        DataError: It is missing, or something else.
    """
    try:
        text = bounded_text(path, _MOST_BYTES)
        return AgentNotesFile.model_validate(json.loads(text)), hashlib.sha256(text.encode()).hexdigest()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; a run with an arm of agentcf leaves one") from None
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        said = f"{place}: {expectation(first['msg'])}"
    except (OSError, ValueError, RecursionError) as fault:
        said = str(fault)
    raise DataError(f"{path}: cannot be read as the notes of agents ({said}); expected {AGENT_NOTES_NAME} of a run")


def read_agent_notes(options: AgentNotesOptions, base_directory: Path) -> AgentNotes:
    """The notes that an experiment file names.

    Raises:
        DataError: The file cannot be read, or it has no such arm.
    """
    path = base_directory / options.path
    file, sha256 = read_notes_file(path)
    arms = ", ".join(file.arms) or "none"
    if options.arm is None and len(file.arms) != 1:
        raise DataError(f"{path}: found notes of the arms {arms}; say which with mind.agent_notes.arm")
    arm = next(iter(file.arms)) if options.arm is None else options.arm
    if arm not in file.arms:
        raise DataError(f"mind.agent_notes.arm: found {shown(arm)}, expected one of {path}: {arms}")
    notes = file.arms[arm]
    return AgentNotes(notes.begins, notes.users, notes.items, file.data, file.split, sha256)
