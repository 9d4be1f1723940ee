"""Pages of which nothing is known: counted, explained, in no figure, and too many of them stop a run."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError, ProviderError, RunDirectoryError, TooMuchUnreadable
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.metrics import METRICS, per_arm_sql, summarise
from groundlings.experiments.analysis.metrics.lost import cause_of
from groundlings.experiments.config.loading import as_yaml, config_hash
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("blank_pictures")

MINDS = '''
import numpy as np

from groundlings.environments.chat import CallRecord, ChatReply, ChatRequest, Message
from groundlings.environments.decision import Decision
from groundlings.environments.errors import UnanswerablePrompt
from groundlings.environments.trace import Chance, Trace
from groundlings.personas.mind import FEED_ACTIONS


class Partly:
    """Opens the first slot and turns pages; the replies to some pages cannot be read, or are refused."""

    cohort_size = 1
    actions = FEED_ACTIONS

    def __init__(self, users: int = 1, of: int = 1, page: int = 1, item: int = -1, how: str = "length", pages: int = 1):
        self.users, self.of, self.page, self.item, self.how, self.pages = users, of, page, item, how, pages

    async def decide(self, situation):
        page, legal = situation.page, situation.legal
        lost = int(situation.sessions.users[0]) % self.of < self.users and page.number == self.page
        if lost and (self.item < 0 or self.item in page.items):
            if self.how == "refused":
                raise UnanswerablePrompt("refused", what="flagged for violence", attempts=3)
            text, stopped = {
                "length": ("", "length"), "prose": ("I like it.", "stop"), "thought": ("Well.</think>{}", "stop"),
            }[self.how]
            request = ChatRequest((Message("user", "what do you do?"),), {}, 10, 0.0, 1)
            reply = ChatReply(text, "m", "", 10, 0, 10, 0.0, finish_reason=stopped)
            return Decision.lost(legal, page, [CallRecord(request, reply, "own-1", "h" * 64, "unreadable")])
        click = np.zeros(page.items.shape, dtype=bool)
        click[0, 0] = True
        goes_on = legal.offers("next_page", page) & (page.number < self.pages)
        return Decision.of(
            legal, page, click=click, rate=np.where(click, 5.0, np.nan), next_page=goes_on, satisfaction=np.array([8.0])
        )

    def describe(self):
        return {"kind": "partly"}


class Unsure(Partly):
    """Draws from a probability that is no number."""

    def __init__(self, probability: str = "nan"):
        super().__init__()
        self.probability = float(probability)  # the file says it as text: no number there may be none

    async def decide(self, situation):
        page = situation.page
        draw = situation.sessions.draws.uniform("click", page.items)
        chance = Chance(np.full(page.items.shape, self.probability), draw)
        trace = Trace(chances={"click": chance})
        return Decision.of(situation.legal, page, trace, click=chance.draw < chance.probability)
'''

PEOPLE = 12
GROCERIES = ("Oat Milk", "Rye Bread", "Night Bean", "Plum Jam", "Tea", "Rice")


@pytest.fixture
def films():
    return {"name": "toy", "toy": {"n_users": PEOPLE, "n_items": 30, "interactions_per_user": 8}}


@pytest.fixture
def groceries(tmp_path):
    rng = np.random.default_rng(5)
    items = [f"g{number},{GROCERIES[number % 6]} {number},food" for number in range(30)]
    bought = [
        f"c{person},g{item},{rng.integers(1, 6)},{1_700_000_000 + 100 * person + place}"
        for person in range(PEOPLE)
        for place, item in enumerate(rng.permutation(30)[:8])
    ]
    (tmp_path / "items.csv").write_text("\n".join(["id,name,kind", *items]) + "\n")
    (tmp_path / "bought.csv").write_text("\n".join(["customer,item,stars,at", *bought]) + "\n")
    return {
        "name": "own",
        "own": {
            "interactions": {
                "path": str(tmp_path / "bought.csv"),
                **{"user": "customer", "item": "item", "rating": "stars", "timestamp": "at"},
            },
            "items": {"path": str(tmp_path / "items.csv"), "id": "id", "title": "name", "genres": "kind"},
            "scale": {"low": 1, "high": 5, "step": 1},
        },
    }


@pytest.fixture(params=["films", "groceries"])
def dataset(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    (tmp_path / "partial_minds.py").write_text(MINDS)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("partial_minds", None)

    def made(dataset, *, kind="partial_minds:Partly", limit=None, days=1, **options):
        mind = {"kind": kind, **options} | ({} if limit is None else {"max_unreadable": limit})
        return ExperimentConfig.model_validate(
            {
                "name": "lost", "seed": 7, "dataset": dataset, "simulation": {"days": days, "refit_every": 0},
                "site": {"page_size": 4, "max_pages": 3}, "mind": mind,
                "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
            }
        )  # fmt: skip

    return made


def logged(config, run):
    """A run's directory with nothing but its log in it, which takes a tenth of the time."""
    run.mkdir()
    log_experiment(config, run / "log.db")
    return run


def figures(config, run):
    with LogReader(logged(config, run)) as log:
        return summarise(log)


def status_of(run):
    with sqlite3.connect(run / "log.db") as connection:
        return connection.execute("SELECT status FROM runs").fetchone()[0]


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.said = []

    def handle_data(self, data):
        self.said.append(data)


def page_of(run):
    reader = _Text()
    reader.feed((run / "report.html").read_text(encoding="utf-8"))
    return " ".join(" ".join(reader.said).split())


def test_a_run_of_which_nothing_could_be_read_stops_and_has_no_figures(experiment, dataset, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(TooMuchUnreadable) as stopped:
        run_experiment(experiment(dataset), run)
    why = "24 of 24 pages unreadable: empty content, finish_reason length 24; raise mind.model.max_tokens"
    assert why in str(stopped.value)
    assert "mind.max_unreadable allows 20 %" in str(stopped.value)
    assert status_of(run) == "interrupted"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["lost"]["in_words"].startswith(why)
    assert (summary["lost"]["pages"], summary["lost"]["unreadable"], summary["lost"]["share"]) == (24, 24, 1.0)
    for arm in summary["arms"]:
        assert {each["mean"] for each in arm["metrics"].values()} == {None}
        assert {each["excluded"] for each in arm["metrics"].values()} == {PEOPLE}
        assert arm["counts"]["unknown_sessions"] == PEOPLE
    assert {each["difference"] for each in summary["differences"]} == {None}
    page = page_of(run)
    assert why in page
    assert "n/a" in page
    assert "likes 0" not in page.lower()


def test_the_command_ends_with_status_1_says_why_and_how_to_go_on(experiment, films, tmp_path, in_process):
    (tmp_path / "lost.yaml").write_text(as_yaml(experiment(films)))
    done = in_process("run", "lost.yaml", "--out", "here")
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stderr.split())
    assert "Traceback" not in said
    assert "24 of 24 pages unreadable: empty content, finish_reason length 24; raise mind.model.max_tokens" in said
    assert f"groundlings run --resume {tmp_path}/here" in said
    shown = in_process("runs", "show", "here")
    assert "24 of 24 pages unreadable" in " ".join(shown.stdout.split())


def test_a_first_token_that_begins_thinking_is_called_so():
    failed = {"kind": "unreadable", "status": "unreadable", "reply": "<think>", "finish_reason": "length"}
    cause = cause_of({**failed, "form": "answers", "first_token": '[["<think>", null], ["Yes", null]]'})
    assert cause.name == "thinking in the place of an answer"
    assert "mind.model.extra_body" in cause.advice


def test_the_comparison_says_that_nothing_could_be_read(experiment, groceries, tmp_path):
    run = tmp_path / "run"
    logged(experiment(groceries, limit=1), run)
    assert status_of(run) == "done"
    with LogReader(run) as log:
        found = compare_run(run, log)
    (knn,) = found.arms
    assert knn.word == "not supported"
    assert knn.reasons[0] == "nothing could be read (24 of 24)"
    assert not any("interval includes zero" in reason for reason in knn.reasons)
    assert found.as_dict()["lost"]["unreadable"] == 24


def test_thinking_whose_beginning_stands_in_the_prompt_is_told_from_a_broken_form(experiment, films, tmp_path):
    lost = figures(experiment(films, how="thought", limit=1), tmp_path / "run").lost
    assert "thinking in the reply 24" in lost.sentence()
    assert "thinking: strip" in lost.sentence()


def test_a_few_lost_pages_are_left_out_of_every_figure_and_counted(experiment, dataset, tmp_path):
    """Every sixth person's first page is lost; the others' figures are those of a run in which nobody's is."""
    some = figures(experiment(dataset, users=1, of=6, pages=2), tmp_path / "some")
    none = figures(experiment(dataset, users=0, pages=2), tmp_path / "none")
    assert some.lost.lost == 4
    assert not none.lost.lost
    for arm, whole in zip(some.arms, none.arms, strict=True):
        for name, found in arm.metrics.items():
            assert (found.n, found.excluded) == (PEOPLE - 2, 2), name
            assert found.mean == whole.metrics[name].mean, name
        assert arm.lost.sentence().startswith("2 of 22 pages unreadable")


def test_a_session_that_loses_a_later_page_keeps_what_is_known(experiment, films, tmp_path):
    """Exit page: a lower bound of 2. Likes: not known. Clicks and satisfaction: those of the first page."""
    summary = figures(experiment(films, page=2, pages=3, limit=1), tmp_path / "run")
    for arm in summary.arms:
        assert arm.metrics["exit_page"].mean == 2.0
        assert (arm.metrics["likes_per_session"].mean, arm.metrics["likes_per_session"].excluded) == (None, PEOPLE)
        assert arm.metrics["view_ratio"].mean == 0.25
        assert arm.metrics["satisfaction"].mean == 8.0
        assert arm.metrics["mean_rating"].mean == 5.0
    with sqlite3.connect(tmp_path / "run" / "log.db") as connection:
        for metric in METRICS:
            rows = connection.execute(per_arm_sql(metric)).fetchall()
            means = [arm.metrics[metric.name].mean for arm in summary.arms]
            assert [row[2] for row in rows] == [mean for mean in means if mean is not None], metric.name


def test_too_many_lost_pages_stop_a_run_early_and_it_goes_on_when_more_are_allowed(experiment, films, tmp_path):
    run, config = tmp_path / "run", experiment(films, days=20)
    with pytest.raises(TooMuchUnreadable, match=re.escape(f"or change {run / 'config.yaml'} (mind.max_unreadable: 1")):
        run_experiment(config, run)
    with LogReader(run) as log:
        lost, shown = log.lost_and_shown()
    assert 50 <= lost == shown <= 60, "what was finished on that day is kept"
    changed = (run / "config.yaml").read_text().replace("max_unreadable: 0.2", "max_unreadable: 1.0")
    (run / "config.yaml").write_text(changed)
    resumed = resume_experiment(run)
    assert status_of(run) == "done"
    with LogReader(logged(experiment(films, days=20, limit=1), tmp_path / "again")) as log:
        assert resumed.digest == log.digest()


def test_a_variant_of_which_nothing_could_be_read_is_named_with_why(experiment, films, tmp_path):
    whole = logged(experiment(films, users=0, limit=1), tmp_path / "whole")
    lost = logged(experiment(films, limit=1).model_copy(update={"seed": 8}), tmp_path / "lost")
    said = r"variant seed 8 \(run .*\): nobody has a value of .*24 of 24 pages unreadable.*; each run answers alone"
    with LogReader(whole) as log, LogReader(lost) as other, pytest.raises(RunDirectoryError, match=said):
        compare_run(whole, log, variants=[other])


def test_the_limit_is_a_share_of_all_pages_and_changes_no_hash(experiment, films, tmp_path):
    sixth = {"users": 1, "of": 6}
    assert figures(experiment(films, limit=0.17, **sixth), tmp_path / "within").lost.lost == 4
    with pytest.raises(TooMuchUnreadable):
        logged(experiment(films, limit=0.16, **sixth), tmp_path / "above")
    assert config_hash(experiment(films, limit=0.16)) == config_hash(experiment(films))
    assert "max_unreadable: 0.2" in as_yaml(experiment(films))


def test_a_refused_question_is_a_lost_page_with_the_servers_words(experiment, groceries, tmp_path):
    done = run_experiment(experiment(groceries, users=1, of=6, how="refused"), tmp_path / "run")
    with LogReader(tmp_path / "run") as log:
        events, sessions = log.events(), log.sessions()
    refused = events[events.kind == "unanswerable"]
    assert set(refused.detail) == {"flagged for violence"}
    assert len(refused) == (sessions.ended_by == "unanswerable").sum() == 4
    assert not (events.kind == "unreadable").any()
    said = '4 of 24 pages unanswerable: refused by the server 4 ("flagged for violence")'
    assert done.summary.lost.sentence().startswith(said)
    assert "flagged for violence" in page_of(tmp_path / "run")


def test_arms_that_lose_pages_unequally_are_not_comparable(experiment, films, tmp_path):
    """What is lost is what one arm shows more often than the other."""
    with LogReader(logged(experiment(films, users=0), tmp_path / "probe")) as log:
        shown = log.impressions(columns=["arm", "item_id"]).groupby(["item_id", "arm"]).size().unstack(fill_value=0)
        ids = [item.source_id for item in log.logged_items()]
    item = ids.index((shown.popular - shown.knn).idxmax())
    run = logged(experiment(films, how="prose", item=item, limit=1), tmp_path / "run")
    with LogReader(run) as log:
        found = compare_run(run, log)
    (check,) = [check for check in found.arms[0].checks if check.name.startswith("lost pages")]
    assert check.status == "failed"
    assert re.match(r"[\d.]+ % \(\d+ of 12\) in knn, [\d.]+ % \(\d+ of 12\) in popular", check.finding)
    assert f"check failed: {check.name}" in found.arms[0].reasons
    assert "not JSON" in found.lost.sentence()


@pytest.mark.parametrize("probability", ["nan", "inf", "-0.5", "1.5"])
def test_a_probability_that_is_none_is_no_refusal_to_click(experiment, films, tmp_path, probability):
    config = experiment(films, kind="partial_minds:Unsure", probability=probability)
    with pytest.raises(ConfigError, match=r"P\(click\) for slot 1 of page 1 is .*expected a probability from 0 to 1"):
        logged(config, tmp_path / "run")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("edit", "where"),
    [
        ("UPDATE sessions SET satisfaction = 9e999", "sessions.satisfaction is NaN or infinite in "),
        (
            "UPDATE impressions SET rating = -9e999 WHERE rating IS NOT NULL",
            "impressions.rating is NaN or infinite in ",
        ),
    ],
)
def test_a_log_that_holds_infinite_figures_is_named_as_damaged(experiment, films, tmp_path, edit, where):
    run = logged(experiment(films, users=0), tmp_path / "run")
    with sqlite3.connect(run / "log.db") as connection:
        connection.execute(edit)
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=where):
        summarise(log)
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=where):
        compare_run(run, log)


ADVISOR = '''
from groundlings.environments.errors import UnanswerablePrompt
from groundlings.environments.ranking import top_items
from groundlings.recommenders.base import AsyncRecommender


class Refused(AsyncRecommender):
    """Asks what the server refuses."""

    def fit(self, interactions, catalog):
        pass

    async def rank(self, request):
        raise UnanswerablePrompt("refused", what="flagged for violence", attempts=1)
'''


def test_a_recommender_that_asks_what_is_refused_gets_one_message_with_its_arm(experiment, films, tmp_path):
    (tmp_path / "advice.py").write_text(ADVISOR)
    sys.modules.pop("advice", None)
    config = experiment(films, users=0).model_dump(mode="json")
    config["arms"][1]["recommender"] = "advice:Refused"
    with pytest.raises(ProviderError, match=r"arm knn: .*flagged for violence.*catch UnanswerablePrompt"):
        logged(ExperimentConfig.model_validate(config), tmp_path / "run")
    assert status_of(tmp_path / "run") == "interrupted"
