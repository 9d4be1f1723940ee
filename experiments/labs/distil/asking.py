"""Asks the teacher about pairs of scenes, each question once, and writes every answer down as it comes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.side_by_side import side_by_side
from groundlings.experiments.labs.distil.teacher_table import Answer, TeacherTable, prompt_hash
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.unreadable_answers import refuse_unreadable
from groundlings.experiments.running.events import SILENT, PairsAsked, Progress
from groundlings.personas.minds.calibrated_question import LanguageScorer, Scored
from groundlings.simulator.log.call_rows import known_odds


@dataclass(frozen=True)
class Group:
    """Scenes that the teacher can be asked about.

    Attributes:
        third: "learned", "validation" or "test".
        scenes: Their people and items.
        scorer: Asks the model; knows scene number n as user n.
    """

    third: str
    scenes: Scenes
    scorer: LanguageScorer


class Teacher:
    """Asks, and counts.

    Args:
        dataset: For ids.
        table: Where answers are written and found.
        at_once: Questions on their way at a time.
        max_unreadable: Above this share of unreadable answers there is no result.
        planned: Questions in all, at most.
        progress: Is told how many are answered.
    """

    def __init__(
        self,
        dataset: Dataset,
        table: TeacherTable,
        *,
        at_once: int,
        max_unreadable: float,
        planned: int,
        progress: Progress = SILENT,
    ) -> None:
        self._dataset, self._table, self._at_once = dataset, table, at_once
        self._max_unreadable, self._planned, self._progress = max_unreadable, planned, progress
        self._unreadable: dict[str, bool] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._scorers: set[LanguageScorer] = set()
        self.found = 0
        """Answers that were in the table and not asked for."""

    @property
    def unreadable(self) -> int:
        """Of all answers that were wanted."""
        return sum(self._unreadable.values())

    @property
    def answered(self) -> int:
        """Answers that were wanted, each question counted once."""
        return len(self._unreadable)

    async def ask(self, group: Group, which: BoolArray, chosen_by: str) -> FloatArray:
        """Log-odds of yes of some pairs, shape of `which`, NaN where nobody asked or the answer could not be read.

        Args:
            group: Whose pairs.
            which: The pairs, shape as the items of the group's scenes.
            chosen_by: For the table.

        Raises:
            TooMuchUnreadable: More answers cannot be read than is allowed.
        """
        scores = np.full(which.shape, np.nan)
        gate = asyncio.Semaphore(self._at_once)

        async def about(row: int, slot: int) -> None:
            async with gate:
                scores[row, slot] = await self._answer(group, row, slot, chosen_by)

        # A person's pairs stand together: prefix caches find all but the item.
        await side_by_side(about(row, slot) for row, slot in np.argwhere(which).tolist())
        return scores

    def finish(self) -> None:
        """Raise `TooMuchUnreadable` where too many of all answers cannot be read."""
        refuse_unreadable(self.unreadable, self.answered, self._max_unreadable, key="teacher", scorers=self._scorers)

    async def _answer(self, group: Group, row: int, slot: int, chosen_by: str) -> float:
        item = int(group.scenes.lists.items[row, slot])
        question = group.scorer.question(row, item)
        prompt = prompt_hash(question.shared, question.told)
        async with self._asking.setdefault(prompt, asyncio.Lock()):
            known = self._table.find(prompt)
            if known is None:
                self._scorers.add(group.scorer)
                (scored,) = await group.scorer.ask(row, [item])
                known = self._line(group, row, item, prompt, chosen_by, scored)
                self._table.add(known)
            elif prompt not in self._unreadable:
                self.found += 1
        self._unreadable[prompt] = known.status != "ok"
        self._progress.event(PairsAsked(self.answered, max(self._planned, self.answered)))
        refuse_unreadable(
            self.unreadable, self.answered, self._max_unreadable, whole=False, key="teacher", scorers=self._scorers
        )
        return known.score

    def _line(self, group: Group, row: int, item: int, prompt: str, chosen_by: str, scored: Scored) -> Answer:
        assert scored.call is not None, "a teacher is called"
        call, reply, dataset = scored.call, scored.call.reply, self._dataset
        return Answer(
            prompt_sha256=prompt,
            template=call.template,
            template_sha256=call.prompt_hash,
            model=reply.model,
            fingerprint=group.scorer.fingerprint,
            third=group.third,
            user_id=dataset.people.user_ids[int(group.scenes.users[row])],
            item_id=dataset.catalog.item_ids[item],
            chosen_by=chosen_by,
            status=call.status,
            first_token=json.dumps(known_odds(reply)),
            log_odds="" if np.isnan(scored.score) else repr(scored.score),
            prompt_tokens=reply.prompt_tokens,
            cached_tokens=reply.cached_tokens,
            completion_tokens=reply.completion_tokens,
            tokens_estimated=reply.tokens_estimated,
        )
