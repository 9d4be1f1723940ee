"""What a token is worth, with models whose answers are known: who knows adds, others do not, and all is counted."""

from __future__ import annotations

import json
import math
import re
from importlib import import_module
from pathlib import Path

import pytest

from groundlings.environments.chat import ChatReply
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError
from groundlings.experiments.labs.distil.features import PairFeatures
from groundlings.experiments.labs.distil.student_file import Column, StudentFile, TeacherNamed
from groundlings.experiments.labs.fidelity.scenes import draw_scenes
from groundlings.experiments.labs.token_worth import asking
from groundlings.experiments.labs.token_worth.asking import Asked
from groundlings.experiments.labs.token_worth.weighing import NOTHING, weigh_tokens
from groundlings.experiments.labs.train_mind.config import TrainMindConfig
from groundlings.experiments.labs.train_mind.scenes import Ground
from groundlings.experiments.labs.train_mind.scoring import EVIDENCE, POPULARITY
from groundlings.personas.minds.calibrated_question import QuestionOptions
from groundlings.personas.taste.features import VERSION
from groundlings.recommenders.text_vectors import plain_vectors
from groundlings.simulator.language.config import ModelConfig
from tests.repeat_shop import repeat_shop

FILE = {
    "name": "toy",
    "seed": 3,
    "dataset": {
        "name": "toy",
        "toy": {"n_users": 90, "n_items": 80, "n_groups": 4, "interactions_per_user": 20, "seed": 5},
    },
    "split": {"salt": "a"},
    "population": {"size": 20},
    "choice": {"scenes": 1},
    "bootstrap": 100,
}
MINDS = [
    Asked("verdict", ModelConfig(provider="scripted"), "verdict"),
    Asked("graded", ModelConfig(provider="scripted"), "graded"),
    Asked("calibrated", ModelConfig(provider="scripted"), QuestionOptions(latest=3)),
]
PROMPT, CACHED, REPLY = 100, 30, 7


class Model:
    """Says yes to some titles and no to the others.

    Args:
        liked: The titles.
        torn: Every so many replies one is no reply; 0 for none.
    """

    def __init__(self, liked, torn=0):
        self.name, self.asked = "model", []
        self._liked, self._torn = liked, torn

    async def ask(self, request):
        told = request.messages[-1].content
        self.asked.append("\n".join(message.content for message in request.messages))
        if self._torn and len(self.asked) % self._torn == 0:
            return self._reply("Well!", (("Well", -0.1),))
        if request.answers and request.answers[0] not in ("yes", "no"):
            return self._reply("4", (("4", -0.1), ("5", -2.5)))
        if request.answers:
            about = re.findall(r"<item>(.*?)</item>", told)[-1]
            words = ("Yes", "No") if self._likes(about) else ("No", "Yes")
            return self._reply(words[0], ((words[0], -0.1), (words[1], -2.5)))
        if "open" not in request.reply_schema["properties"]:
            return self._reply('{"feel":"content","satisfaction":5}')
        lines = re.findall(r"^(\d)\. (.*)$", told, re.MULTILINE)
        opened = [number for number, item in lines if self._likes(item)]
        said = [int(number) for number in opened]
        if "stars" in request.messages[0].content:
            said = dict.fromkeys(opened, 4)
        return self._reply(json.dumps({"open": said, "feel": "content", "satisfaction": 5}))

    def _likes(self, item):
        return any(re.match(rf"{re.escape(title)}(?!\d)", item) for title in self._liked)

    def _reply(self, text, first_token=()):
        return ChatReply(text, self.name, "", PROMPT, CACHED, REPLY, 0.0, first_token=first_token)

    async def close(self):
        pass


@pytest.fixture(scope="module")
def ground():
    config = TrainMindConfig.model_validate(FILE)
    return Ground(config, load_dataset(config.dataset))


def real_titles(ground):
    """Of the real items of all scenes; some of them are another scene's other items."""
    both, titles = draw_scenes(ground), ground.dataset.catalog.titles
    return {titles[item] for group in (both.test, both.validation) for item in group.lists.items[group.lists.positive]}


def weigh(monkeypatch, ground, model, minds=MINDS, students=()):
    async def built(*_, **__):
        return model

    monkeypatch.setattr(asking, "build_chat_model", built)
    found = weigh_tokens(ground, minds, dict(students))
    return found, {line.mind: line for line in found.lines}


def gain(line, rival):
    return next(each for each in line.gains if each.beside == rival)


def test_who_knows_the_answer_adds_and_every_token_of_it_is_counted(monkeypatch, ground):
    model = Model(real_titles(ground))
    found, lines = weigh(monkeypatch, ground, model)
    assert found.choices == 20
    calls = {"verdict": 1, "graded": None, "calibrated": 5}
    for name, each in calls.items():
        line = lines[name]
        assert line.left_out == 0
        for rival in (NOTHING, POPULARITY, EVIDENCE):
            assert gain(line, rival).saved_low > 0
        assert 0.5 < gain(line, NOTHING).saved < math.log(5)
        if each is not None:
            assert line.bill.calls == 35 * each
        assert line.bill.tokens == line.bill.calls * (PROMPT + REPLY)
        assert line.bill.computed == line.bill.tokens - line.bill.calls * CACHED
        tokens_a_choice = line.bill.tokens / 35
        assert line.per_1000(gain(line, NOTHING))[0] == pytest.approx(
            1000 * gain(line, NOTHING).saved / tokens_a_choice
        )
    assert len(model.asked) == sum(lines[name].bill.calls for name in calls)
    for name in (POPULARITY, EVIDENCE):
        assert [each.beside for each in lines[name].gains] == [NOTHING]
        assert lines[name].per_1000(lines[name].gains[0]) is None


def test_who_says_the_same_of_everything_adds_nothing(monkeypatch, ground):
    _, lines = weigh(monkeypatch, ground, Model(()))
    for mind in MINDS:
        for each in lines[mind.name].gains:
            assert each.saved == pytest.approx(0, abs=1e-6)


def test_a_choice_with_a_reply_that_cannot_be_read_is_left_out_and_its_tokens_count(monkeypatch, ground):
    found, lines = weigh(monkeypatch, ground, Model(real_titles(ground), torn=19), MINDS[1:])
    for line in (lines["graded"], lines["calibrated"]):
        assert 0 < line.left_out < found.choices
        assert gain(line, NOTHING).saved > 0
        assert line.bill.tokens == line.bill.calls * (PROMPT + REPLY)
    _, lines = weigh(monkeypatch, ground, Model((), torn=1), MINDS[:1])
    assert lines["verdict"].left_out == found.choices
    assert lines["verdict"].bill.calls == 35 * 2
    assert not lines["verdict"].gains


def test_groceries_are_asked_about_as_films_are(monkeypatch):
    ground = Ground(TrainMindConfig.model_validate(FILE), repeat_shop())
    model = Model({"Product 3"})
    _, lines = weigh(monkeypatch, ground, model)
    assert all("Product" in told and "film" not in told and "stars" not in told for told in model.asked)
    assert lines["verdict"].left_out == lines["calibrated"].left_out == 0


def student_of(ground, slope, dataset_hash):
    """A student that says more of better known items, without any rest."""
    width = plain_vectors(ground.dataset.catalog, 4).shape[1]
    names = PairFeatures.of(plain_vectors(ground.dataset.catalog, width), draw_scenes(ground).statistics).names
    columns = [Column(name=each, scale=1, centre=0, slope=slope * (each == "popularity rank")) for each in names]
    named = TeacherNamed(model="m", fingerprint="f", prompt="p", prompt_sha256="s", question=QuestionOptions())
    return StudentFile(
        teacher=named, dataset_hash=dataset_hash, evidence_version=VERSION, width=width, mean=0.0, penalty=1.0,
        columns=tuple(columns), between=0.0, edges=(), rests=((0.0, 0.0),),
    )  # fmt: skip


def test_a_student_takes_no_tokens_and_one_of_other_data_is_refused(monkeypatch, ground):
    mine = student_of(ground, 2.0, ground.dataset.fingerprint)
    _, lines = weigh(monkeypatch, ground, Model(()), (), {"student": mine})
    line = lines["student"]
    assert (line.bill.tokens, line.bill.calls, line.left_out) == (0, 0, 0)
    known = gain(lines[POPULARITY], NOTHING).saved
    assert gain(line, NOTHING).saved == pytest.approx(known, abs=0.15)
    assert line.per_1000(gain(line, NOTHING)) is None
    with pytest.raises(ConfigError, match=r"the student is of other data than toy; distil it from this data"):
        weigh(monkeypatch, ground, Model(()), (), {"student": student_of(ground, 2.0, "another")})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mind", "verdct"], "--mind: found 'verdct'; expected verdict; graded; calibrated"),
        (["--mind", "calibrated, trained"], "one more with --trained"),
        (["--out", "nowhere/figures.json"], "--out: there is no directory nowhere"),
    ],
)
def test_the_table_is_asked_for_as_it_can_be_made_before_anybody_is_asked(options, said, monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[4])
    token_worth = import_module("benchmarks.token_worth")
    monkeypatch.setattr("sys.argv", ["token_worth", *options])
    monkeypatch.setattr(token_worth, "load_dataset", lambda *_, **__: pytest.fail("data were read first"))
    assert token_worth.main() == 1
    assert said in capsys.readouterr().err
