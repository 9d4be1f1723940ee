"""A language model as judge and as writer: models whose worth is known."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import DataError, TooMuchUnreadable, UnanswerablePrompt
from groundlings.experiments.labs.warmup import language, metadata
from groundlings.experiments.labs.warmup.config import LanguageConfig, MetadataConfig
from groundlings.experiments.labs.warmup.lab import measure_warm_up
from groundlings.experiments.labs.warmup.language import BOTH, SHORTLIST, LanguageFindings, ask_language_model
from groundlings.experiments.labs.warmup.page import render_page
from groundlings.experiments.labs.warmup.records import find
from groundlings.experiments.labs.warmup.replicate import AUDIENCE
from groundlings.personas.minds.calibrated_question import LanguageScorer, QuestionOptions
from groundlings.personas.population import build_population
from groundlings.simulator.language.scripted import ScriptedModel

PROMPT_HASH = "b5c1cf94becd803494100f2406cc434879670d40f77fc27ccacb65497620a6f7"


class Reader:
    """Says yes to what a person really met, as loudly as it is told, and nothing at all at strength 0."""

    def __init__(self, trial, strength, question=None):
        self.name = f"reader {strength}"
        met = trial.dataset.interactions.matrix
        catalog = trial.dataset.catalog
        population = build_population(trial.dataset, trial.split.train, size="all", seed=trial.config.seed)
        scorer = LanguageScorer(population, self, question or QuestionOptions())
        items = np.concatenate([trial.split.new, trial.split.hidden])
        self._odds = {
            scorer.question(int(user), int(item)).told: strength * (2.0 * (met[user, item] > 0) - 1.0)
            for user in trial.split.panel
            for item in items
        }
        assert len(set(catalog.titles)) == len(catalog)
        self.closed = False

    async def ask(self, request):
        odds = self._odds[request.messages[-1].content]
        no = -float(np.logaddexp(0, odds))
        return ChatReply("Yes", self.name, "", 90, 0, 10, 0.0, first_token=(("Yes", no + odds), ("No", no)))

    async def close(self):
        self.closed = True


@pytest.fixture
def asked(trial, monkeypatch):
    def ask(strength, **options):
        model = Reader(trial, strength, options.get("question"))

        async def built(*_args, **_options):
            return model

        monkeypatch.setattr(language, "build_chat_model", built)
        found = ask_language_model(trial, LanguageConfig(items=8, shortlist=15, known_pairs=60, **options))
        assert model.closed
        return found

    return ask


def test_a_model_that_knows_is_listened_to(asked, trial):
    found = asked(4.0)
    assert found.about["weights"]["language"] > found.about["weights"]["audience"]
    assert found.about["auc_both"] == 1.0
    hits = {arm: trial.judge("random_n", chosen).enrichment for arm, chosen in found.chosen.items()}
    assert hits[BOTH] > hits[SHORTLIST]


def test_a_model_that_knows_nothing_changes_nothing(asked):
    found = asked(0.0)
    assert found.about["weights"]["language"] == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(found.chosen[BOTH], found.chosen[SHORTLIST])


def test_every_token_is_counted_and_the_question_is_that_of_the_file(asked):
    about = asked(1.0, question=QuestionOptions(latest=10, popularity=True)).about
    assert about["tokens"] == 100 * about["questions"]
    assert about["tokens_per_item"] == 100 * 15
    assert about["unreadable"] == 0


def test_a_model_that_cannot_be_read_is_refused(trial, monkeypatch):
    class Mumbling(Reader):
        async def ask(self, request):
            return ChatReply("Hm", self.name, "", 1, 0, 1, 0.0, first_token=(("Hm", -0.1),))

    async def built(*_args, **_options):
        return Mumbling(trial, 1.0)

    monkeypatch.setattr(language, "build_chat_model", built)
    with pytest.raises(DataError, match="answers could be read"):
        ask_language_model(trial, LanguageConfig(items=2, shortlist=6, known_pairs=10))


class Halting(Reader):
    """Leaves some questions unanswered: those that `silent` says of."""

    def __init__(self, trial, silent):
        super().__init__(trial, 4.0)
        self.silent, self.asked = silent, 0

    async def ask(self, request):
        self.asked += 1
        reply = await super().ask(request)
        return replace(reply, first_token=(("Hm", -0.1),), tokens_estimated=True) if self.silent(self.asked) else reply


def _halting(trial, monkeypatch, silent, **options):
    async def built(*_args, **_options):
        return Halting(trial, silent)

    monkeypatch.setattr(language, "build_chat_model", built)
    return ask_language_model(trial, LanguageConfig(**{"items": 8, "shortlist": 15, "known_pairs": 60, **options}))


def test_an_answer_that_cannot_be_read_is_no_average_one(trial, monkeypatch):
    found = _halting(trial, monkeypatch, lambda number: number > 60 and number % 7 == 0)
    assert 0 < found.about["unreadable"] < 0.2 * found.about["answers"]
    assert found.about["questions_with_estimated_tokens"] == found.about["unreadable"]
    assert found.about["items_not_selected"] == 0
    assert found.about["auc_both"] == 1.0, "pairs of which nothing is known are not judged"
    hidden = found.about["answers"] - 8 * 15
    last = _halting(trial, monkeypatch, lambda number: number > hidden + 1, items=1, max_unreadable=1)
    assert last.about["items_not_selected"] == 1, "too few answers to select by"
    np.testing.assert_array_equal(last.chosen[BOTH], last.chosen[SHORTLIST])
    np.testing.assert_array_equal(last.chosen[BOTH], trial.choose(AUDIENCE, trial.config.headline))


def test_a_gain_per_tokens_that_nobody_counted_is_not_known():
    bench = SimpleNamespace(fold_in=lambda chosen: SimpleNamespace(value=lambda *_: chosen))
    chosen = {BOTH: 0.3, SHORTLIST: 0.2}
    uncounted, counted = (language.language_gain(bench, LanguageFindings(chosen, {}, n)) for n in (0, 2000))
    assert uncounted["gain_per_1000_tokens"] is None
    assert counted["gain_per_1000_tokens"] == pytest.approx(0.05)


def test_too_many_answers_that_cannot_be_read_end_the_lab(trial, monkeypatch):
    with pytest.raises(TooMuchUnreadable, match=r"could not be read \(\d+ %\); language.max_unreadable allows 20"):
        _halting(trial, monkeypatch, lambda number: number % 3 == 0)
    assert _halting(trial, monkeypatch, lambda number: number % 3 == 0, max_unreadable=0.5).about["unreadable"]


def test_what_a_server_refuses_is_said_in_its_own_words(trial, monkeypatch):
    class Refusing(Halting):
        async def ask(self, request):
            self.asked += 1
            if self.silent(self.asked):
                raise UnanswerablePrompt("refused", what="HTTP 403: flagged by moderation", attempts=1)
            return await Reader.ask(self, request)

    monkeypatch.setitem(globals(), "Halting", Refusing)
    said = r"because the server refuses to answer \(HTTP 403: flagged by moderation\); language.max_unreadable"
    with pytest.raises(TooMuchUnreadable, match=said):
        _halting(trial, monkeypatch, lambda number: number % 3 == 0)


@pytest.fixture
def writer(monkeypatch):
    """Writes the item's genre, except about items whose number ends in 3."""

    def reply(request):
        told = request.messages[1].content  # the question, also when it is asked again
        return "[" * 100_000 if re.search(r"3\b", told) else json.dumps({"text": f"for those who like {told[-7:]}"})

    model = ScriptedModel(reply, "writer")

    async def built(*_args, **_options):
        return model

    monkeypatch.setattr(metadata, "build_chat_model", built)
    return model


def test_what_is_written_says_that_it_was_generated(trial, writer, tmp_path):
    written = metadata.write_metadata(trial, MetadataConfig(items=20, max_unreadable=1))
    assert [each.item for each in written[::2]] == trial.split.new.tolist()[:10]
    assert (trial.split.train.item_counts[[each.item for each in written[1::2]]] > 0).all()
    metadata.keep(written, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / metadata.FILE_NAME).read_text().splitlines()]
    assert len(lines) == 20
    assert all(line["generated"] and line["model"] == "writer" and line["prompt_hash"] for line in lines)
    unread = [each for each in written if each.text is None]
    assert unread
    assert len(writer.requests) == 20 + len(unread), "an unreadable reply is asked for once more, and then left out"
    with pytest.raises(TooMuchUnreadable, match=r"metadata\.max_unreadable allows 20 %"):
        metadata.write_metadata(trial, MetadataConfig(items=20))
    texts = metadata.with_texts(trial.dataset.catalog, written).texts
    assert sum(text is not None for text in texts) == 20 - len(unread)


def test_a_text_of_the_catalog_is_never_replaced(trial, writer):
    catalog = trial.dataset.catalog
    own = metadata.with_texts(catalog, [metadata.Written(0, "a", "mine", "m", "", "t", "h", 1)])
    again = metadata.with_texts(own, [metadata.Written(0, "a", "other", "m", "", "t", "h", 1)])
    assert again.texts[0] == "mine"
    assert not writer.requests


def test_a_changed_prompt_has_a_new_version():
    assert (metadata.PROMPT.name, metadata.PROMPT.sha256) == ("metadata-1", PROMPT_HASH)
    assert len(PROMPT_HASH) == hashlib.sha256().digest_size * 2


@pytest.mark.usefixtures("writer")
def test_the_ablation_stands_in_records_and_page(config, tmp_path):
    wanted = config.model_copy(
        update={"metadata": MetadataConfig(items=15, max_unreadable=1), "pages": None, "others": (), "refit": False}
    )
    found = measure_warm_up(wanted, directory=tmp_path)
    record = find(found.records, arm="audience_written", setting="cold", metric="ndcg")
    assert record is not None
    assert len(record.seeds) == 1
    assert found.about["metadata"]["readable"] < 15
    assert (tmp_path / metadata.FILE_NAME).is_file()
    assert "writer wrote about" in render_page(found)
