"""What is learned from lies before what is asked about, and is about other people; prompts are those of live minds."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import DataError
from groundlings.environments.split import people_in_thirds, split_history
from groundlings.experiments.labs.fidelity.stage import TEST_THIRD
from groundlings.experiments.labs.train_mind.examples import population_of
from groundlings.experiments.labs.train_mind.scenes import FITTING_THIRD, Ground, draw_material
from groundlings.experiments.labs.train_mind.served import compare
from groundlings.personas.minds.calibrated_question import LanguageScorer, PairQuestions, QuestionOptions
from groundlings.simulator.language.scripted import ScriptedModel, legal_reply


def test_nobody_tested_is_learned_from_and_nothing_of_later_rows(ground, material):
    thirds = people_in_thirds(ground.dataset.people.user_ids, ground.config.split.salt)
    assert set(thirds[material.learned.users]) == {FITTING_THIRD}
    assert set(thirds[material.test_lists.users]) == {TEST_THIRD}
    later = split_history(ground.dataset.history, "global_temporal", ground.config.choice.later).test.timestamps.min()
    history = ground.dataset.history
    for row, user in enumerate(material.learned.users):
        for item in material.learned.lists.items[row][material.learned.lists.positive[row]]:
            assert history.timestamps[(history.users == user) & (history.items == item)].min() < later


@pytest.mark.parametrize("group", ["learned", "test_lists"])
def test_real_items_come_next_and_others_never(ground, material, group):
    scenes, history = getattr(material, group), ground.dataset.history
    assert len(scenes) >= 8
    for row, user in enumerate(scenes.users):
        lists = scenes.lists
        listed = lists.items[row][lists.listed[row]]
        assert len(set(listed)) == len(listed)
        real = lists.items[row][lists.positive[row]]
        known = scenes.histories.items[scenes.histories.users == row]
        mine = history.users == user
        assert set(history.items[mine]) & set(listed) == set(real)
        assert not set(real) & set(known)
        moment = min(history.timestamps[mine & (history.items == item)].min() for item in real)
        ahead = history.items[mine][np.argsort(history.timestamps[mine], kind="stable")][len(known) :]
        assert set(real) <= set(ahead[: len(real) + 1])
        assert scenes.histories.timestamps[scenes.histories.users == row].max() < moment


def test_what_is_met_again_is_in_histories_and_no_scene_asks_about_it(ground):
    """As in groceries: everybody takes up half of the items again some days later."""
    first = ground.dataset.interactions
    some = np.arange(0, len(first), 2)
    later = replace(first.take(some), timestamps=first.timestamps[some] + 3 * 86_400)
    history = first.joined(later).chronological()
    found = draw_material(replace(ground, dataset=replace(ground.dataset, interactions=history)))
    repeats = 0
    for scenes in (found.learned, found.groups.test, found.test_lists):
        for row in range(len(scenes)):
            known = scenes.histories.items[scenes.histories.users == row]
            repeats += len(known) - len(set(known))
            assert not set(known) & set(scenes.lists.items[row][scenes.lists.listed[row]])
    assert repeats > 0


def test_a_data_set_without_times_is_refused(ground):
    with pytest.raises(DataError, match="no times"):
        draw_material(Ground(ground.config, replace(ground.dataset, times_known=False)))


def test_the_trained_words_are_those_of_a_live_mind(ground, material):
    population = population_of(ground.dataset, material.learned, material.groups.statistics)
    options = ground.config.question
    words = PairQuestions(population, options)
    live = LanguageScorer(population, ScriptedModel(legal_reply), options)
    for user, item in ((0, 3), (4, 7)):
        question = live.question(user, item)
        assert (question.shared, question.told) == (words.shared, words.told(user, item))


def test_the_latest_items_are_named_newest_first_and_popularity_as_a_share(ground, material):
    scenes = material.learned
    population = population_of(ground.dataset, scenes, material.groups.statistics)
    counts = material.groups.statistics.item_counts
    words = PairQuestions(population, ground.config.question, counts)
    own = scenes.histories.users == 0
    newest = scenes.histories.items[own][np.argsort(-scenes.histories.timestamps[own], kind="stable")][:3]
    titles = "; ".join(ground.dataset.catalog.titles[item] for item in newest)
    assert f"Your latest, newest first: {titles}." in words.told(0, 5)
    assert f"better known than {int((counts < counts[5]).mean() * 100)} %" in words.told(0, 5)


class Speaker:
    """Says yes with log-odds of the title's length, and refuses to give any for one item."""

    name = "speaker"

    def __init__(self, silent):
        self._silent = silent

    async def ask(self, request):
        title = re.search(r"<item>(.*?)(?: \(|, )", request.messages[-1].content)[1]
        told = [("Perhaps", -0.1)] if title == self._silent else [("Yes", len(title) - 30.0), ("No", -30.0)]
        return ChatReply("Yes", self.name, "", 10, 0, 1, 0.0, first_token=tuple(told))

    async def close(self):
        pass


def test_a_served_copy_is_held_to_what_the_trained_model_said(ground, material):
    titles = ground.dataset.catalog.titles
    population = population_of(ground.dataset, material.learned, material.groups.statistics)
    items = [[0, 1], [2, 3]]
    said = np.array([float(len(titles[item])) for item in (0, 1, 2, 3)]) + np.array([0, 0, 0.5, 0])
    scorer = LanguageScorer(population, Speaker(titles[1]), ground.config.question)
    found = asyncio.run(compare(scorer, items, said))
    assert (found.questions, found.unreadable) == (4, 1)
    assert found.largest_difference == pytest.approx(0.5, abs=1e-3)


def test_options_that_are_off_leave_no_trace():
    """Weights that were fitted before the keys existed still say what they were fitted for."""
    assert "latest" not in QuestionOptions().model_dump()
    assert QuestionOptions(latest=2).model_dump()["latest"] == 2
