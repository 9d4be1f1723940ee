"""A language model in the lab: rows of three ablations on the same people, for models whose worth is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import ConfigError, TooMuchUnreadable
from groundlings.experiments.config.loading import config_hash, load_as
from groundlings.experiments.labs.fidelity import language
from groundlings.experiments.labs.fidelity.config import FidelityConfig, LanguageConfig
from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.lab import Findings, examine
from groundlings.experiments.labs.fidelity.language import BOTH, EVIDENCE, LANGUAGE, ask_language_model
from groundlings.experiments.labs.fidelity.language_rows import CONTRIBUTION, SAMPLE, examine_language
from groundlings.experiments.labs.fidelity.page import render_page
from groundlings.experiments.running.events import SILENT, PairsAsked
from groundlings.personas.minds.calibrated_question import LanguageScorer

LEAST = {"model": {"provider": "scripted"}, "people": 30, "calls": 1000, "fit_people": 30}


class Reader:
    """Knows what each person met later, and says so: by the title, as long as it is shown one."""

    def __init__(self, stage, strength):
        self.name = f"reader {strength}"
        self._later, self._strength, self._titles = stage.held_out.toarray() > 0, strength, stage.dataset.catalog.titles
        self._chance = np.random.default_rng(1).normal(size=self._later.shape)
        self._who = {}
        blank = LanguageScorer(stage.population, self, LanguageConfig().question)
        for user in range(self._later.shape[0]):
            self._who.setdefault(blank.question(user, 0).told.rpartition("You are shown")[0], user)
        self._items = {title: item for item, title in enumerate(self._titles)}
        self.asked = 0

    async def ask(self, request):
        self.asked += 1
        told = request.messages[-1].content
        title = re.search(r"<item>(.*?)(?: \(|, |</item>)", told)[1]
        who, item = self._who.get(told.rpartition("You are shown")[0]), self._items.get(title)
        odds = 0.0 if who is None or item is None else self._strength * self._later[who, item] + self._chance[who, item]
        no = -float(np.logaddexp(0, odds))
        return ChatReply("Yes", self.name, "", 10, 0, 1, 0.0, first_token=(("Yes", no + odds), ("No", no)))

    async def close(self):
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path))


@pytest.fixture
def asked(stage, monkeypatch):
    """`asked(strength)`: the answers of a model that knows so much, its records, and the model."""

    def ask(strength, progress=SILENT, **options):
        model = Reader(stage, strength)

        async def built(*_, **__):
            return model

        monkeypatch.setattr(language, "build_chat_model", built)
        config = LanguageConfig(**{**LEAST, **options})
        answers = ask_language_model(stage, config, progress)
        return answers, examine_language(stage, answers), model

    return ask


def figures(records, part, task, metric):
    return {
        each.scorer: each
        for each in records
        if (each.part, each.task, each.metric) == (part, f"{SAMPLE}: {task}", metric)
    }


def test_a_model_that_knows_adds_to_the_evidence_and_one_that_does_not_adds_nothing(asked):
    _, knows, _ = asked(3.0)
    found = figures(knows, "interaction", "uniform 1:1", "auc")
    assert found[BOTH].value > found[EVIDENCE].value
    assert found[CONTRIBUTION].low > 0
    assert found[CONTRIBUTION].holds
    _, guesses, _ = asked(0.0)
    found = figures(guesses, "interaction", "uniform 1:1", "auc")
    assert abs(found[CONTRIBUTION].value) < 0.05
    assert not found[CONTRIBUTION].holds
    assert found[LANGUAGE].low < 0.5 < found[LANGUAGE].high


def test_all_rows_of_a_table_are_about_the_same_people(asked):
    _, records, _ = asked(1.0)
    tables = {}
    for each in records:
        if each.task != f"{SAMPLE}: weights":
            tables.setdefault((each.part, each.task, each.metric), set()).add(each.n)
    assert all(len(sizes) == 1 for sizes in tables.values())
    parts = {part for part, _, _ in tables}
    assert parts == {"interaction", "preference", "calibration", "probes", "memorisation and stereotype"}


def test_what_a_model_knows_by_title_goes_with_the_titles(asked):
    _, records, _ = asked(3.0)
    found = figures(records, "memorisation and stereotype", "titles taken away", "auc, by titles")
    assert found[LANGUAGE].low > 0
    assert figures(records, "memorisation and stereotype", "titles taken away", "auc, without titles")[
        LANGUAGE
    ].value == pytest.approx(0.5)


def test_the_budget_is_kept_and_decides_how_long_lists_are(asked):
    for calls in (600, 1000):
        answers, _, model = asked(0.0, calls=calls)
        assert answers.about["pairs"] <= calls
        fitted = answers.calibration.labels.met + answers.calibration.labels.passed_by
        assert model.asked <= calls + fitted
    longer = answers.about["items_a_list"]
    assert asked(0.0, calls=600)[0].about["items_a_list"] < longer
    with pytest.raises(ConfigError, match=r"language.calls: 50 are too few for 45 people"):
        asked(0.0, calls=50)
    whole = asked(0.0, calls="all", people="all")[0].about
    assert whole["items_a_list"] == 20
    assert whole["people"] > 40


def test_what_is_asked_again_as_it_was_is_counted_once(asked):
    told = []

    class Told:
        def event(self, event):
            told.append(event)

    pairs = asked(0.0, progress=Told())[0].about["pairs"]
    done = [(each.done, each.total) for each in told if isinstance(each, PairsAsked) and each.total == pairs]
    assert max(done) == (pairs, pairs)


def test_testers_and_those_it_is_fitted_on_are_different_people(asked, stage):
    answers, _, _ = asked(0.0)
    for test, validation in zip(answers.test.values(), answers.validation.values(), strict=True):
        assert set(test.lists.users) <= set(stage.testers)
        assert set(validation.lists.users) <= set(stage.tuners)


def test_too_many_answers_that_cannot_be_read_end_the_lab(stage, monkeypatch):
    class Halting(Reader):
        async def ask(self, request):
            reply = await super().ask(request)
            return reply if self.asked % 3 else replace(reply, first_token=(("Hm", -0.1),))

    async def built(*_, **__):
        return Halting(stage, 1.0)

    monkeypatch.setattr(language, "build_chat_model", built)
    with pytest.raises(TooMuchUnreadable, match=r"language.max_unreadable allows 20 %"):
        ask_language_model(stage, LanguageConfig(**LEAST))
    about = ask_language_model(stage, LanguageConfig(**LEAST, max_unreadable=0.5)).about
    assert 0.2 < about["unreadable"] / about["pairs"] < 0.5


def test_the_share_that_may_be_unreadable_is_no_part_of_the_experiment(toy_file):
    plain, changed = (
        load_as(FidelityConfig, toy_file, [f"language={json.dumps({**LEAST, **more})}"])
        for more in ({}, {"max_unreadable": 0.7})
    )
    assert config_hash(plain) == config_hash(changed)
    assert changed.language.max_unreadable == 0.7


@pytest.fixture(scope="module")
def examined(toy_file, tmp_path_factory) -> Findings:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GROUNDLINGS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return examine(load_as(FidelityConfig, toy_file, [f"language={json.dumps(LEAST)}"]))


def test_the_lab_shows_the_rows_and_the_page_has_them(examined):
    about = examined.as_dict()["about"]["language"]
    assert about["model"] == "scripted"
    assert about["calibration"]["source"] == "fitted for this run"
    page = render_page(examined)
    for name in (EVIDENCE, LANGUAGE, BOTH):
        assert name in page
    assert f"scripted was asked about {about['pairs']:,} pairs of 30 of the users examined" in page
    labels = [row.label for row in headlines(examined.records)]
    assert "A language model adds to AUC" in labels
    assert [label for label in labels if labels.count(label) > 1] == []


def test_rows_of_the_sample_change_no_other_record(examined, findings):
    assert [each for each in examined.records if not each.task.startswith(SAMPLE)] == list(findings.records)
