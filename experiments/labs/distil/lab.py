"""A distillation from beginning to end: pairs, the teacher's answers, the student, what both are worth on people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groundlings.environments.chat import ChatModel, fingerprint_of
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError
from groundlings.experiments.labs.distil.asking import Group, Teacher
from groundlings.experiments.labs.distil.config import DistilConfig
from groundlings.experiments.labs.distil.findings import Examination, Findings
from groundlings.experiments.labs.distil.ground import LEARNED, Ground, Prepared, prepare
from groundlings.experiments.labs.distil.lessons import JUDGED_GROUPS, Lessons, ask_everything, most_questions
from groundlings.experiments.labs.distil.teacher_table import TABLE_NAME, TeacherTable
from groundlings.experiments.labs.origin import origin_of
from groundlings.experiments.labs.train_mind.examples import population_of
from groundlings.experiments.running.calibration import people_at_once
from groundlings.experiments.running.events import SILENT, LabStep, Progress, on_download, on_note
from groundlings.personas.minds.calibrated_question import LanguageScorer
from groundlings.personas.taste.features import version_of
from groundlings.simulator.language.build import build_chat_model

STEPS = 3


def distil(config: DistilConfig, directory: Path, progress: Progress = SILENT) -> Findings:
    """Ask the teacher, fit the student and judge both; the teacher's answers are written to the directory as they come.

    A directory that holds answers of the same model already is gone on with: no question is asked twice.

    Raises:
        ConfigError: The budget is too small, or the directory holds answers of another model.
        TooMuchUnreadable: More answers cannot be read than `teacher.max_unreadable` allows.
        UserError: The message says what to do.
    """
    began = time.monotonic()
    _refuse_small_budget(config)
    progress.event(LabStep(0, STEPS, "pairs"))
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    prepared = prepare(Ground(config, dataset))
    progress.event(LabStep(1, STEPS, "the teacher's answers"))
    lessons, told = asyncio.run(_ask(prepared, directory / TABLE_NAME, progress))
    progress.event(LabStep(2, STEPS, "student"))
    examination = Examination(prepared, lessons)
    students, spreads = examination.students(), examination.spreads()
    rows, weights = examination.people()
    about = {**_about(prepared, lessons), "asked": told, "seconds": round(time.monotonic() - began, 1)}
    return Findings(
        about, students, spreads, rows, weights, prepared.pairs.names, examination.student, examination.scatter
    )


async def _ask(prepared: Prepared, path: Path, progress: Progress) -> tuple[Lessons, dict[str, Any]]:
    """The answers, and what they took."""
    config = prepared.ground.config
    table = TeacherTable(path, on_note(progress))
    had = len(table)
    model = await build_chat_model(
        config.teacher.model,
        on_download(progress),
        base=config.base,
        spent=table.spent if had else None,
        key="teacher.model",
        tell=on_note(progress),
    )
    try:
        table.refuse_other_than(fingerprint_of(model))
        groups = _groups(prepared, model)
        teacher = Teacher(
            prepared.ground.dataset,
            table,
            at_once=people_at_once(config.teacher.model),
            max_unreadable=config.teacher.max_unreadable,
            planned=most_questions(config),
            progress=progress,
        )
        lessons = await ask_everything(prepared, groups, teacher)
    finally:
        await model.close()
    spent = table.spent
    return lessons, {
        "model": model.name,
        "fingerprint": fingerprint_of(model),
        "prompt": {"name": groups[LEARNED].scorer.prompt.name, "sha256": groups[LEARNED].scorer.prompt.sha256},
        "answers": teacher.answered,
        "unreadable": teacher.unreadable,
        "asked_now": len(table) - had,
        "found_in_the_table": teacher.found,
        "tokens": spent.tokens,
        "tokens_per_answer": spent.tokens / max(spent.calls, 1),
        "answers_with_estimated_tokens": spent.estimated_calls,
    }


def _groups(prepared: Prepared, model: ChatModel) -> Mapping[str, Group]:
    statistics = prepared.material.groups.statistics
    question = prepared.ground.config.teacher.question
    groups = {}
    for name, third in {LEARNED: LEARNED, **JUDGED_GROUPS}.items():
        scenes = prepared.scenes[name]
        people = population_of(prepared.ground.dataset, scenes, statistics)
        groups[name] = Group(third, scenes, LanguageScorer(people, model, question, statistics.item_counts))
    return groups


def _refuse_small_budget(config: DistilConfig) -> None:
    cap, wanted = config.teacher.model.budget.calls, most_questions(config)
    if cap is not None and cap < wanted:
        raise ConfigError(
            f"teacher.model.budget.calls: {cap:,} are too few for this file, which asks {wanted:,} questions at most; "
            "raise it, or lower teacher.scenes, pairs.first, pairs.rounds or pairs.per_round"
        )


def _about(prepared: Prepared, lessons: Lessons) -> dict[str, Any]:
    config = prepared.ground.config
    test = prepared.material.groups.test
    return {
        **origin_of(config, prepared.ground.dataset),
        "evidence_version": version_of(len(prepared.ground.dataset.people)),
        "question": config.teacher.question.model_dump(mode="json"),
        "width": config.student.width,
        "learned": {
            "people": int(lessons.everything.any(axis=1).sum()),
            "pairs": int(lessons.everything.sum()),
            "candidates": int(prepared.scenes[LEARNED].lists.listed.sum()),
        },
        "judged": {
            "people": len(set(test.users.tolist())),
            "scenes": len(test),
            "scenes_of_the_teacher": {name: int(each.any(axis=1).sum()) for name, each in lessons.judged_asked.items()},
        },
    }
