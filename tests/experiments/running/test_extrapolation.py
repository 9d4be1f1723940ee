"""How much of an arm's likes rests on items that people hardly pick: from whole small runs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.split import split_history
from groundlings.experiments.analysis.comparison.held_out import of_dict, read_held_out
from groundlings.experiments.experiment import Experiment, open_run
from groundlings.experiments.running.held_out import measuring
from groundlings.experiments.running.held_out.extrapolation import extrapolated_likes, least_picked
from groundlings.experiments.running.short_sessions import ShortSessions
from groundlings.personas.taste.model import fit_taste
from tests.personas.test_behavioural import calibration_of_liking

COMMON, RARE = [f"i{item}" for item in range(30)], [f"i{item}" for item in range(30, 50)]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUNDLINGS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def rated_world() -> pd.DataFrame:
    """Everybody picks common items and likes few of them; a rare item has three people, and all of them like it."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(90):
        common = rng.choice(30, size=18, replace=False)
        rated = [(COMMON[item], float(rng.choice([1, 2, 3, 4], p=[0.3, 0.4, 0.25, 0.05]))) for item in common]
        if user < 60:
            rated.insert(3, (RARE[user % 20], 5.0))
        rows += [(f"u{user}", item, rating, 1_000 * user + place) for place, (item, rating) in enumerate(rated)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])


def rare(user_ids, k):
    return [RARE[:k] for _ in user_ids]


def experiment(**changes) -> Experiment:
    content = {
        "dataset": rated_world(), "arms": {"popular": "popular", "rare": rare}, "seed": 1, "days": 1,
        "plan": {"primary": "likes_per_session"}, "site": {"page_size": 5, "max_pages": 2},
    }  # fmt: skip
    return Experiment(**{**content, **changes})


@pytest.fixture(scope="module")
def directory(tmp_path_factory, blank_pictures_in_file):
    """A run whose second arm shows what hardly anybody picks."""
    return experiment().run(tmp_path_factory.mktemp("runs") / "run").directory


def extrapolations(directory):
    return {name: arm.extrapolation for name, arm in read_held_out(directory).arms.items()}


def test_an_arm_that_shows_what_nobody_picks_lies_outside_and_a_popular_one_does_not(directory):
    found = extrapolations(directory)
    assert found["rare"].outside.mean > 0.9
    assert found["popular"].outside.mean < 0.1
    assert found["popular"].as_modelled.mean == found["popular"].if_disliked.mean == 0
    assert found["rare"].as_modelled.n == 90


def test_a_sign_that_rests_on_such_items_is_a_reason_of_the_verdict_and_said_in_terminal_and_page(directory):
    found = extrapolations(directory)["rare"]
    assert found.if_disliked.high < 0 < found.as_modelled.low
    assert found.decides
    verdict = open_run(directory).compare()
    (reason,) = [
        each for each in verdict.findings.arms[0].reasons if each.startswith("the sign rests on items outside")
    ]
    assert "as modelled, -" in reason
    sentence = "of what rare shows lies outside what people pick (popular 0 % [0, 4]): there P(like) is extrapolated."
    assert sentence in " ".join(str(verdict).split())
    assert sentence in (directory / "report.html").read_text()


def test_files_of_earlier_versions_say_nothing_of_it_and_are_read(directory):
    content = json.loads((directory / "held_out.json").read_text())
    for arm in (*content["arms"].values(), *content["trivial"]):
        del arm["extrapolation"]
    assert {arm.extrapolation for arm in of_dict(content).arms.values()} == {None}


@pytest.mark.usefixtures("quick_report")
def test_a_metric_that_rests_on_no_ratings_says_nothing_of_it(tmp_path):
    directory = experiment(plan={"primary": "view_ratio"}).run(tmp_path / "run").directory
    verdict = open_run(directory).compare()
    assert extrapolations(directory)["rare"].decides
    assert not [each for each in verdict.findings.arms[0].reasons if "outside" in each]
    assert "lies outside what people pick" not in " ".join(str(verdict).split())


@pytest.mark.usefixtures("quick_report")
def test_without_ratings_and_with_a_log_of_exposures_nothing_is_extrapolated(tmp_path):
    unrated = experiment(dataset=rated_world().drop(columns="rating"), plan={"primary": "view_ratio"})
    path = tmp_path / "exposures.json"
    path.write_text(calibration_of_liking({"appeal": 0.1, "liking": 0.9, "popularity": 0.0}, constant=-1.0).as_text())
    from_log = experiment(mind={"kind": "behavioural", "exposures": str(path)})
    for number, each in enumerate((unrated, from_log)):
        assert set(extrapolations(each.run(tmp_path / f"run {number}").directory).values()) == {None}


@pytest.mark.usefixtures("quick_report")
def test_it_is_kept_with_the_other_figures_of_an_arm(tmp_path, monkeypatch):
    arms = {"popular": "popular", "item_mean": "item_mean"}
    first = extrapolations(experiment(arms=arms).run(tmp_path / "first").directory)
    monkeypatch.setattr(measuring, "extrapolated_likes", None)
    assert extrapolations(experiment(arms=arms).run(tmp_path / "second").directory) == first
    assert first["item_mean"].outside.mean > 0


@pytest.fixture(scope="module")
def toy():
    """The split of a small data set with ratings, and the taste of its people."""
    dataset = make_toy(ToyOptions(n_users=90, n_items=60, n_groups=3, interactions_per_user=20))
    split = split_history(dataset.interactions, "per_user_temporal", 0.2)
    return split, fit_taste(dataset, split.train, salt="a", seed=1)


def test_what_a_person_has_picked_before_is_never_outside(toy):
    split, taste = toy
    train = split.train
    known = [train.matrix[[user]].indices[:4] for user in range(20)]
    unknown = [np.setdiff1d(np.arange(train.n_items), train.matrix[[user]].indices)[:4] for user in range(20)]
    shown = np.column_stack([known, unknown]).astype(np.int32)
    shown[0] = -1
    zero = np.zeros(20)
    sessions = ShortSessions(
        np.arange(20), zero, zero, zero.astype(int), zero > 0, shown, shown > 0, np.where(shown < 0, 0.0, 0.5)
    )
    found = extrapolated_likes(sessions, taste, train, np.inf)
    np.testing.assert_array_equal(found.outside, [np.nan, *[0.5] * 19])
    assert (found.if_disliked[1:] < found.likes[1:]).all()
    nothing = extrapolated_likes(sessions, taste, train, -np.inf)
    np.testing.assert_array_equal(nothing.if_disliked, nothing.likes)


def test_of_too_few_items_met_later_nobody_knows_what_lies_outside(toy):
    split, taste = toy
    everybody = np.arange(split.train.n_users)
    assert least_picked(taste, split, everybody) is not None
    assert least_picked(taste, split, everybody[:2]) is None
