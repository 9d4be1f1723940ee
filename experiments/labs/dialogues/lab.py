"""Recommenders in logged dialogues, from the reading of these to the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.chat import ChatModel
from groundlings.environments.errors import ConfigError, DataError, TooMuchUnreadable, shown
from groundlings.environments.random_streams import name_key
from groundlings.environments.words import plural
from groundlings.experiments.config.model_file import ModelFile, read_model_file
from groundlings.experiments.labs.dialogues.figures import Row, Tally, Worth
from groundlings.experiments.labs.dialogues.leaks import Leaks, without_leaks
from groundlings.experiments.labs.dialogues.reading import Dialogues, Turn, read_dialogues
from groundlings.experiments.labs.dialogues.rounds import Conversation, Stage
from groundlings.experiments.labs.dialogues.seekers import (
    ATTRIBUTE,
    BY_MODEL,
    BY_RULE,
    FREE_FORM,
    NEED,
    SEEKERS,
    TITLE,
    WITHOUT_LEAK,
    EveryValue,
    ReciterOfValues,
    Seeker,
    SharedNeed,
    TellerOfTitles,
)
from groundlings.experiments.labs.dialogues.systems import BASELINE, SYSTEMS, Material, build_system, fit
from groundlings.experiments.labs.dialogues.worded import TEMPERATURE, WordedSeeker
from groundlings.experiments.labs.resampling import Resamples
from groundlings.experiments.running.events import SILENT, Progress, on_download, on_note
from groundlings.simulator.language.build import build_chat_model

RESAMPLES = 2_000
"""Bootstrap resamples of the dialogues."""


def model_in(path: Path | None) -> ModelFile:
    """What a file says whose keys are those of `mind.model`; the embedded model without a file.

    Raises:
        ConfigError: It cannot be read, or names a temperature that no seeker is asked at.
    """
    if path is None:
        return ModelFile()
    found = read_model_file(path)
    if "temperature" in found.model.model_fields_set and found.model.temperature != TEMPERATURE:
        raise ConfigError(
            f"{path}: temperature: found {found.model.temperature:g}; expected {TEMPERATURE:g} or none, because "
            "seekers are asked at that one. For a server that takes none but its own, write send_temperature: false"
        )
    return found


@dataclass(frozen=True, slots=True)
class Settings:
    """How dialogues are gone on with.

    Attributes:
        seekers: Of `SEEKERS`.
        systems: Of `SYSTEMS`, recommenders of the platform, or `module:Class`; popularity is always beside them.
        ask: The fields that are asked about, in this order; all of the file's if empty.
        rounds: Lists that a recommender makes, with an answer between each two.
        shared_by: So many items at least fit all that a seeker without a leak tells of a target.
        take: So many dialogues are gone on with, drawn at random; all if None. Others are still learned from.
        parts: Parts of the dialogues; recommenders learn from the other parts.
        seed: Of the parts, of what is taken, of resamples, and of whatever is left to chance.
        model: Who words the seekers of `BY_MODEL`, and from where its relative paths count.
    """

    seekers: tuple[str, ...] = BY_RULE
    systems: tuple[str, ...] = tuple(SYSTEMS)
    ask: tuple[str, ...] = ()
    rounds: int = 5
    shared_by: int = 20
    take: int | None = None
    parts: int = 5
    seed: int = 0
    model: ModelFile = field(default_factory=ModelFile)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        items, dialogues: How many the files have.
        namesakes: Items left out, because an earlier one has their name.
        unknown: Targets left out, because no item has their name.
        leaks: Targets named before, and how many turns are left without them.
        judged: Dialogues with a turn that is gone on with.
        turns, targets: Of these.
        ask: The fields that are asked about.
        shared_by: So many items fit all that a seeker without a leak tells of a target.
        model: Who words the seekers of `BY_MODEL`; empty where none of them was tried.
        rows: Every seeker with every recommender.
        worths: What leaks are worth, where a seeker and the one without its leak were both tried and could be read.
    """

    items: int
    dialogues: int
    namesakes: int
    unknown: int
    leaks: Leaks
    judged: int
    turns: int
    targets: int
    ask: tuple[str, ...]
    shared_by: int
    model: str
    rows: tuple[Row, ...]
    worths: tuple[Worth, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine_dialogues(
    directory: Path, settings: Settings, model: ChatModel | None = None, progress: Progress = SILENT
) -> Findings:
    """Go on with logged dialogues.

    Args:
        directory: The dialogues; see `reading`.
        settings: How they are gone on with.
        model: Who words the seekers of `BY_MODEL`; that of the settings if absent.
        progress: Is told of a download, and of what is to be known of the model's server.

    Raises:
        ConfigError: A setting is not possible.
        DataError: The files cannot be read, or leave nothing to go on with.
    """
    dialogues = read_dialogues(directory)
    kept, leaks = without_leaks(dialogues)
    if not kept:
        raise DataError(f"{directory}: found no turn with a target that was not named before; expected some")
    ask = _checked(directory, settings, dialogues)
    turns = _taken(kept, dialogues, settings)
    material = Material(dialogues, settings.parts, settings.seed)
    stage = Stage(material, ask, settings.rounds, settings.seed)
    systems = tuple(dict.fromkeys((BASELINE, *settings.systems)))
    talks, asked = asyncio.run(_talks(stage, settings, systems, turns, model, progress))
    judged = sorted({turn.dialogue for turn in turns})
    resamples = Resamples.draw(len(judged), RESAMPLES, np.random.default_rng(settings.seed))
    tallies = {pair: Tally(some, judged, resamples, len(dialogues.catalog)) for pair, some in talks.items()}
    rows = {
        (seeker, system): tally.row(seeker, system, tallies[seeker, BASELINE])
        for (seeker, system), tally in tallies.items()
    }
    return Findings(
        items=len(dialogues.catalog),
        dialogues=len(dialogues.ids),
        namesakes=dialogues.namesakes,
        unknown=dialogues.unknown,
        leaks=leaks,
        judged=len(judged),
        turns=len(turns),
        targets=sum(len(turn.targets) for turn in turns),
        ask=ask,
        shared_by=settings.shared_by,
        model=asked,
        rows=tuple(rows.values()),
        worths=tuple(
            tallies[leaky, system].worth(leaky, without, system, tallies[without, system])
            for leaky, without in WITHOUT_LEAK.items()
            for system in systems
            if {leaky, without} <= set(settings.seekers)
            and not (rows[leaky, system].nothing_read or rows[without, system].nothing_read)
        ),
    )


def check_read(findings: Findings, limit: float) -> None:
    """Return if enough of what each seeker was to say to each recommender could be read.

    Raises:
        TooMuchUnreadable: Of some pair, a larger share than `limit` could not.
    """
    for row in findings.rows:
        asked = row.answers + row.unreadable
        if row.unreadable > limit * asked:
            raise TooMuchUnreadable(
                f"{row.seeker} with {shown(row.system)}: {row.unreadable:,} of {asked:,} answers could not be read "
                f"({100 * row.unreadable / asked:.0f} %), and what would have been found after them is not known; "
                f"--max-unreadable allows {100 * limit:g} %. See what the server can do with groundlings model check, "
                "or choose another model (--model)"
            )


def _checked(directory: Path, settings: Settings, dialogues: Dialogues) -> tuple[str, ...]:
    """The fields to ask about; raises `UserError` where something is not possible."""
    if unknown := [name for name in settings.seekers if name not in SEEKERS]:
        raise ConfigError(f"seeker: found {unknown[0]}; expected {', '.join(SEEKERS)}")
    known = ", ".join(dialogues.fields) or "no field at all"
    ask = settings.ask or tuple(dialogues.fields)
    if unknown := [name for name in ask if name not in dialogues.fields]:
        raise ConfigError(f"ask: found {unknown[0]}; expected fields of the items: {known}")
    if len(set(ask)) < len(ask):
        raise ConfigError(f"ask: found {', '.join(ask)}; expected each field once")
    if not settings.seekers or settings.rounds < 1 or settings.shared_by < 1 or settings.seed < 0:
        raise ConfigError("dialogues: expected a seeker, a round, needs shared by 1 item or more, and a seed from 0 up")
    if settings.take is not None and settings.take < 1:
        raise ConfigError(f"take: found {settings.take}; expected 1 dialogue or more")
    if settings.parts < 2:
        raise ConfigError(f"parts: found {settings.parts}; expected 2 or more")
    if len(dialogues.ids) < settings.parts:
        raise DataError(
            f"{directory}: found {plural(len(dialogues.ids), 'dialogue')}; expected {settings.parts} or more: they are "
            f"put into {settings.parts} parts, and recommenders learn from the other ones"
        )
    return ask


def _taken(turns: Sequence[Turn], dialogues: Dialogues, settings: Settings) -> list[Turn]:
    """The turns of the dialogues that are gone on with."""
    there = {turn.dialogue for turn in turns}
    order = sorted(there, key=lambda row: name_key("take", settings.seed, dialogues.ids[row]))
    taken = set(order[: settings.take])
    return [turn for turn in turns if turn.dialogue in taken]


Talks = dict[tuple[str, str], list[Conversation]]
"""Seeker and system -> their conversations."""


async def _talks(
    stage: Stage,
    settings: Settings,
    systems: Sequence[str],
    turns: Sequence[Turn],
    given: ChatModel | None,
    progress: Progress,
) -> tuple[Talks, str]:
    """All conversations, and who worded them."""
    model = given
    if model is None and set(settings.seekers) & set(BY_MODEL):
        model = await build_chat_model(
            settings.model.model,
            on_download(progress),
            base=settings.model.base,
            key="--model",
            tell=on_note(progress),
        )
    try:
        seekers = {name: _seeker(name, stage, settings, model) for name in dict.fromkeys(settings.seekers)}
        talks: Talks = {(seeker, system): [] for seeker in seekers for system in systems}
        batches = list(stage.material.batches(turns))
        for name in systems:
            system = build_system(name, stage.dialogues)
            for place, batch in enumerate(batches):
                fit(system, batch, stage.dialogues, first=place == 0)
                for seeker in seekers:
                    talks[seeker, name] += await stage.play(system, seekers[seeker], batch)
    finally:
        if model is not None and given is None:
            await model.close()
    return talks, model.name if model is not None else ""


def _seeker(name: str, stage: Stage, settings: Settings, model: ChatModel | None) -> Seeker:
    dialogues = stage.dialogues
    shared = SharedNeed(dialogues, stage.ask, settings.shared_by)
    if name in BY_MODEL:
        assert model is not None, "seekers in a model's words have a model"
        wishes = None if name == FREE_FORM else shared
        return WordedSeeker(dialogues, wishes, model, settings.model.model.max_tokens, settings.seed)
    by_rule: dict[str, Seeker] = {
        ATTRIBUTE: ReciterOfValues(EveryValue(dialogues)),
        NEED: ReciterOfValues(shared),
        TITLE: TellerOfTitles(dialogues),
    }
    return by_rule[name]
