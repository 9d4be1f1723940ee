"""Data without ratings, from the file to the report: nobody is asked for stars, and no figure is made of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from groundlings import open_run
from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.cli.agent import agent
from groundlings.experiments.cli.main import app
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader

OF_FILMS = re.compile(r"\b(films?|movies?|stars?|ratings?)\b", re.IGNORECASE)
"""Words that no prompt, page or table of an unrated run should have, but for what says that there are none."""

SHOPPERS, PRODUCTS = 24, 20


@pytest.fixture(scope="module")
def events(tmp_path_factory) -> Path:
    """A shop whose customers look at products and buy most of them, some again; likes.csv has their opinions."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(5)
    bought, said = ["customer,sku,what,when,pieces"], ["customer,sku,what,when"]
    for customer in range(SHOPPERS):
        for basket in range(14):
            near = rng.random() < 0.8
            product = int(rng.integers(PRODUCTS // 4)) * 4 + customer % 4 if near else int(rng.integers(PRODUCTS))
            moment = 1_700_000_000 + 86_400 * basket + 60 * customer
            bought.append(f"c{customer},p{product},seen,{moment},")
            if basket % 5:
                bought.append(f"c{customer},p{product},trx,{moment + 9},{1 + basket % 3}")
            said.append(f"c{customer},p{product},{'like' if product % 4 == customer % 4 else 'dislike'},{moment}")
    shelves = ("tea", "bread", "fruit", "soap")
    items = [
        f"p{number},{shelves[number % 4].title()} no. {number},{shelves[number % 4]}" for number in range(PRODUCTS)
    ]
    for name, rows in (("events", bought), ("likes", said), ("items", ["sku,name,shelf", *items])):
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def experiment(events):
    """Makes an experiment on the shop's events, or on its likes."""
    columns = {"user": "customer", "item": "sku", "timestamp": "when", "kind": "what"}
    tables = {
        "events": {"path": "events.csv", "weight": "pieces", "kinds": {"seen": "view", "trx": "purchase"}},
        "likes": {"path": "likes.csv"},
    }
    items = {"path": "items.csv", "id": "sku", "title": "name", "genres": "shelf", "things": "products"}

    def made(table: str = "events", mind: object = "behavioural", **changes) -> ExperimentConfig:
        content = {
            "name": "shop", "seed": 3, "base": events, "population": {"size": 5}, "simulation": {"days": 2},
            "site": {"page_size": 4, "max_pages": 2}, "mind": mind,
            "dataset": {"name": "own", "own": {"interactions": columns | tables[table], "items": items}},
            "arms": [{"name": name, "recommender": name} for name in ("popular", "item_knn")],
        }  # fmt: skip
        return ExperimentConfig.model_validate(content | changes)

    return made


LANGUAGE = {"kind": "language", "model": {"provider": "scripted"}, "reflection": {"every": 1}}
MINDS = {
    "verdict": LANGUAGE,
    "graded": {**LANGUAGE, "decision": "graded"},
    "plain": {**LANGUAGE, "wording": "plain", "interview": {"questions": ["What was missing?"]}},
    "story": {**LANGUAGE, "wording": "story"},
}


def prompts_of(run: Path) -> list[str]:
    with LogReader(run) as log:
        calls = log.calls()
    assert set(calls.status) == {"ok"}
    return [message["content"] for messages in calls.messages for message in json.loads(messages)]


@pytest.fixture(scope="module", params=MINDS)
def asked(request, experiment, tmp_path_factory) -> list[str]:
    """Everything that a model was told in a run on the shop."""
    run = tmp_path_factory.mktemp(request.param)
    log_experiment(experiment(mind=MINDS[request.param]), run / "log.db")
    return prompts_of(run)


def test_prompts_speak_of_what_was_bought_and_of_no_stars(asked):
    assert not [found[0] for text in asked for found in OF_FILMS.finditer(text)]
    portraits = [text for text in asked if "before day 1" in text]
    assert portraits
    assert all(re.search(r"bought (Tea|Bread|Fruit|Soap) no\. \d+ \(", text) for text in portraits)
    assert any(
        re.search(r"\((twice|\d+ times), (\d+ in all, )?last .* days? before day 1\)", text) for text in portraits
    )
    assert any("shows products" in text or "site with products" in text for text in asked)


@pytest.fixture(scope="module")
def shop_run(experiment, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("shop_run") / "run"
    run_experiment(experiment(), run)
    return run


ABSENT = {"likes_per_session", "like_ratio", "mean_rating"}


def test_metrics_of_ratings_are_absent_with_the_reason(shop_run):
    summary = json.loads((shop_run / "summary.json").read_text())
    assert set(summary["absent"]) == ABSENT
    assert not ABSENT & set(summary["arms"][0]["metrics"])
    assert all("nothing is rated here" in reason for reason in summary["absent"].values())


def test_the_python_door_says_what_is_absent(shop_run):
    run = open_run(shop_run)
    assert set(run.summary().absent) == ABSENT
    assert not ABSENT & set(run.metrics().metric)
    assert "<p>n/a: likes per session, like ratio, mean rating (nothing is rated here" in run._repr_html_()


def text_of(page: str) -> str:
    """What a page shows, without its styles, tags and attributes."""
    return re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL))


def test_report_and_terminal_have_no_word_of_films_and_ratings_but_for_what_is_absent(shop_run):
    page = text_of((shop_run / "report.html").read_text(encoding="utf-8"))
    printed = CliRunner().invoke(app, ["report", str(shop_run)]).output
    for text in (page, printed):
        text = re.sub(r"\s+", " ", text)
        text = re.sub(r"n/a: likes per session, like ratio, mean rating \([^)]*\)", "ABSENT", text)
        assert not [text[max(found.start() - 40, 0) : found.end() + 40] for found in OF_FILMS.finditer(text)]
        assert "ABSENT" in text
    assert re.search(r"You bought \d+ products, ", page)


def test_a_session_names_no_stars(shop_run, capsys):
    with LogReader(shop_run) as log:
        user = log.user_ids()[0]
    agent(shop_run, user)
    story = capsys.readouterr().out
    assert "not clicked" in story
    assert re.search(r"You bought \d+ products", re.sub(r"\s+", " ", story))
    assert not OF_FILMS.search(story)


@pytest.mark.parametrize("key", ["primary", "guardrails"])
def test_a_plan_on_what_cannot_be_measured_is_refused_with_what_could_be_chosen(experiment, key, tmp_path, events):
    plan = {"primary": "view_ratio"} | ({key: "mean_rating"} if key == "primary" else {key: {"mean_rating": 0.1}})
    config = experiment(plan=plan)
    wanted = rf"plan\.{key}: found 'mean_rating', which cannot be measured here: nothing is rated .*; name one of view_"
    with pytest.raises(ConfigError, match=wanted):
        build_plan(config)
    with pytest.raises(ConfigError, match=wanted):
        run_experiment(config, tmp_path / "run")
    (events / "planned.yaml").write_text(as_yaml(config).replace(f"base: {events}\n", ""))
    checked = CliRunner().invoke(app, ["check", str(events / "planned.yaml")])
    assert isinstance(checked.exception, ConfigError)
    assert "cannot be measured here" in str(checked.exception)


def test_an_own_list_of_metrics_says_why_one_of_them_is_refused(experiment):
    with pytest.raises(ConfigError, match=r"like_ratio needs the action like or rate, .* \(nothing is rated here"):
        build_plan(experiment(metrics=["view_ratio", "like_ratio"]))


@pytest.mark.parametrize("mind", ["behavioural", "verdict", "graded"])
def test_likes_are_measured_without_a_scale(experiment, mind, tmp_path):
    config, run = experiment("likes", MINDS.get(mind, mind)), tmp_path / "run"
    if mind == "behavioural":
        run_experiment(config, run)
    else:
        run.mkdir()
        log_experiment(config, run / "log.db")
    with LogReader(run) as log:
        summary = summarise(log)
        opened = log.impressions()
        opened = opened[opened.clicked.fillna(False)]
        assert set(log.events().kind) >= {"like"}
    assert set(opened.rating.dropna()) <= {0.0, 1.0}
    assert opened.rating.notna().all()
    assert set(summary.absent) == {"mean_rating"}
    likes = sum(arm.counts.likes for arm in summary.arms)
    assert likes == (opened.rating == 1).sum()
    if mind != "behavioural":
        told = prompts_of(run)
        assert not [found[0] for text in told for found in OF_FILMS.finditer(text)]
        assert any(("Do you like it" if mind == "graded" else '"like" or "dislike"') in text for text in told)
        return
    page = text_of((run / "report.html").read_text(encoding="utf-8"))
    assert "Likes and dislikes" in page
    page = re.sub(r"n/a: mean rating \([^)]*\)|&#34;star_\w+&#34;|&#34;stars&#34;", "", page)
    assert not [page[max(found.start() - 40, 0) : found.end() + 40] for found in OF_FILMS.finditer(page)]
