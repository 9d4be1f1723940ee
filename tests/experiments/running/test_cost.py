"""What a run would take is said before it takes it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.asking_time import Wish
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.events import Note, RunBegins
from groundlings.experiments.running.idle_keys import idle_lines
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 50, "n_items": 200, "interactions_per_user": 6}},
    "mind": {"kind": "scripted"},
    "arms": [{"name": "popular", "recommender": "popular"}],
}
HUGE = "50,000,000 impressions, about 2 GB of log"


def config(days):
    return ExperimentConfig.model_validate(SMALL | {"simulation": {"days": days}})


@pytest.mark.parametrize(("days", "large"), [(10, False), (20_000, True)])
def test_check_says_when_a_run_is_large(days, large):
    console = Console(file=io.StringIO(), width=200)
    print_plan(build_plan(config(days)), console)
    assert (HUGE in console.file.getvalue()) == large


def test_a_large_run_says_so_before_it_begins(tmp_path):
    class Leaving:
        def event(self, event):
            match event:
                case Note(line):
                    heard.append(line)
                case RunBegins():
                    raise KeyboardInterrupt

    heard = []
    with pytest.raises(KeyboardInterrupt):
        run_experiment(config(20_000), tmp_path / "run", Leaving())
    assert any(HUGE in line for line in heard)


def test_keys_that_have_no_effect_are_told():
    scripted = {"provider": "scripted", "temperature": 0.2, "max_tokens": 99}
    of_one_token = "the model is asked for the log probabilities of one token"
    for mind, told in (
        ({"kind": "calibrated", "model": scripted},
         [f"mind.model: temperature, max_tokens have no effect here: {of_one_token}"]),
        ({"kind": "calibrated", "terms": ["evidence"], "model": scripted, "fit_pairs": 4},
         ["mind: model, fit_pairs have no effect here: terms leave the language model out"]),
        ({"kind": "hybrid", "strata": ["activity"]},
         ["mind: strata has no effect here: sample is 0, so that nobody lives by it"]),
        ({"kind": "language", "decision": "graded", "reasons": True, "model": scripted},
         ["mind: reasons has no effect here: decision is graded, which asks for one token a question"]),
        ({"kind": "behavioural", "columns": 3, "scroll_probability": 0.5},
         ["mind: columns has no effect here: mind.layout is no grid (of a site's grid, site.layout says it)",
          "mind: scroll_probability has no effect here: the site has no rows (site.layout)"]),
        ({"kind": "language", "model": scripted}, []),
        ("behavioural", []),
    ):  # fmt: skip
        assert list(idle_lines(build_plan(ExperimentConfig.model_validate(SMALL | {"mind": mind})))) == told


def test_metrics_of_ties_that_agents_lack_are_told():
    asked = ExperimentConfig.model_validate(SMALL | {"metrics": ["shipped", "told_per_day"]})
    assert list(idle_lines(build_plan(asked))) == [
        "metrics: told_per_day has no effect here: agents have no ties (mind.social)"
    ]


def test_users_in_a_models_words_ask_once_for_each_time_that_they_speak():
    console = Console(file=io.StringIO(), width=200)
    talking = SMALL | {"environment": {"kind": "conversation", "turns": 4}, "mind": {"kind": "conversing_language"}}
    print_plan(build_plan(ExperimentConfig.model_validate(talking)), console)
    said = "at most 250, one for each time a user speaks, and up to 1 more for each reply that cannot be read"
    assert said in " ".join(console.file.getvalue().split())


def test_check_says_how_people_are_divided():
    arms = [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}]
    design = {"kind": "split", "shares": {"popular": 1, "knn": 3}, "log": "shared"}
    console = Console(file=io.StringIO(), width=200)
    divided = SMALL | {"simulation": {"days": 2}, "arms": arms, "design": design}
    print_plan(build_plan(ExperimentConfig.model_validate(divided)), console)
    text = " ".join(console.file.getvalue().split())
    assert "split: popular 25 %, knn 75 %; log shared" in text
    assert "at most 100 = 50 people x 2 days" in text


ASKING = SMALL | {
    "simulation": {"days": 5, "visit_probability": 0.5},
    "site": {"page_size": 4, "max_pages": 4},
    "mind": {"kind": "language", "model": {"provider": "endpoint", "base_url": "http://127.0.0.1:9/v1"}},
}


def _told(config, wish=None):
    console = Console(file=io.StringIO(), width=300)
    print_plan(build_plan(ExperimentConfig.model_validate(config)), console, wish)
    return " ".join(console.file.getvalue().split())


def test_check_says_what_asking_takes_and_that_the_rate_is_assumed():
    text = _told(ASKING)
    assert "asking about 525 calls, if people come as likely and see all pages: 11 s with 1 server" in text
    assert "1 of 50 answers per second each, an assumption (--server-rate)" in text
    assert "million 1,000,000 calls: about" in text
    assert "5.6 h with 1 server, 6 servers for 1 h (--hours)" in text


def test_check_plans_for_the_rate_hours_servers_and_prices_that_are_given():
    two = {"provider": "endpoint", "endpoints": [{"base_url": f"http://127.0.0.1:{port}/v1"} for port in (8, 9)]}
    prices = {"budget": {"prices": {"prompt": 1.0, "completion": 2.0}}}
    text = _told(ASKING | {"mind": {"kind": "language", "model": two | prices}}, Wish(2000.0, 0.1))
    assert "servers: 2 of 2000 answers per second each, as said" in text
    assert "4.2 min with 2 servers, 2 servers for 0.1 h (--hours)" in text
    million = text.partition("million 1,000,000 calls: about ")[2]
    tokens_in, tokens_out, money = (
        float(million.split(mark)[0].split()[-1]) for mark in (" million tokens in", " out,", "; ")
    )
    assert money == pytest.approx(tokens_in + 2 * tokens_out, abs=1)


@pytest.mark.parametrize("provider", ["embedded", "scripted"])
def test_nothing_is_assumed_of_what_is_no_server(provider):
    mind = {"kind": "language", "model": {"provider": provider}}
    assert "answers per second" not in _told(ASKING | {"mind": mind})
    assert "1 of 0.7 answers per second each, as said" in _told(ASKING | {"mind": mind}, Wish(0.7))
