"""A site says how many friends liked an item: as counted by hand, in the arms that show it, and to whoever reads."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.environments.page import Page
from groundlings.environments.ties import FRIENDS_LIKED
from groundlings.experiments.running.run import run_experiment
from groundlings.personas.minds.language.friends import friends_words

ARMS = [{"name": name, "recommender": "popular"} for name in ("plain", "friends")]
SHOWN_TO_SOME = {"day": 1, "arms": ["friends"], "site": {"friends": True}}
NEVER_MENTIONED = {"kind": "behavioural", "social": {"ties": "ties.csv", "likes": 3.0, "mention": 0.0}}


def logged(directory: Path) -> pd.DataFrame:
    """One row per impression of an arm: who, when, which item, the rating, and how many friends were shown."""
    with sqlite3.connect(directory / "log.db") as log:
        found = pd.read_sql(
            "SELECT arms.name AS arm, day, source_user_id AS user, item_id AS item, rating, clicked, value AS friends "
            "FROM impressions JOIN sessions USING (session_id) JOIN agents USING (agent_id) "
            "JOIN arms ON arms.arm_id = sessions.arm_id "
            "LEFT JOIN events ON events.impression_id = impressions.impression_id AND kind = 'friends_liked'",
            log,
        )
    return found.set_index("arm")


def test_an_arm_shows_what_friends_liked_and_the_other_does_not(start, tmp_path):
    experiment = start(arms=ARMS, mind=NEVER_MENTIONED, interventions=[SHOWN_TO_SOME])
    digest = run_experiment(experiment, tmp_path / "run").digest
    found = logged(tmp_path / "run")
    assert found.loc["plain", "friends"].isna().all()

    shown = found.loc["friends"].reset_index(drop=True)
    pairs = [line.split(",") for line in (tmp_path / "ties.csv").read_text().splitlines()[1:]]
    ties = pd.DataFrame([*pairs, *(pair[::-1] for pair in pairs)], columns=["user", "friend"]).drop_duplicates()
    likes = shown[shown.rating >= 4][["user", "day", "item"]].rename(columns={"user": "friend", "day": "liked_on"})
    known = shown[["user", "day", "item"]].reset_index().merge(ties).merge(likes)
    by_hand = known[known.liked_on < known.day].groupby("index").friend.nunique()
    assert len(by_hand) > 20
    pd.testing.assert_series_equal(shown.friends.dropna(), by_hand.astype(float), check_names=False)

    plain = found.loc["plain"].reset_index(drop=True)
    first = plain.day == 0  # nobody liked anything yet
    assert plain.clicked[first].equals(shown.clicked[shown.day == 0])
    assert shown.clicked.sum() > plain.clicked.sum()

    pool = start(
        arms=ARMS, mind=NEVER_MENTIONED, interventions=[SHOWN_TO_SOME], execution={"engine": "pool", "workers": 2}
    )
    assert run_experiment(pool, tmp_path / "pool").digest == digest


def test_what_nobody_mentions_or_shows_changes_nothing(start, tmp_path):
    silent = run_experiment(start(arms=ARMS, mind=NEVER_MENTIONED), tmp_path / "silent")
    without = run_experiment(start(arms=ARMS, mind="behavioural"), tmp_path / "without")
    assert silent.digest == without.digest


def test_real_behaviour_is_measured_on_a_site_that_shows_what_friends_liked(start, tmp_path):
    for name, site in (("plain", {}), ("friends", {"friends": True})):
        run_experiment(start(site=site, held_out=True, simulation={"days": 1}), tmp_path / name)
    plain, friends = (json.loads((tmp_path / name / "held_out.json").read_text()) for name in ("plain", "friends"))
    assert not any(arm["missing"] for arm in plain["arms"].values())
    assert friends == plain  # nobody has liked anything on the first day, on which lists are tried


@pytest.mark.parametrize(
    "changes", [{"site": {"friends": True}}, {"interventions": [SHOWN_TO_SOME], "arms": ARMS}], ids=["site", "later"]
)
def test_friends_of_agents_without_ties_are_refused(start, changes):
    with pytest.raises(ConfigError, match="agents without ties have no friends"):
        start(mind="behavioural", **changes)


def test_friends_beside_a_search_box_are_refused(start):
    with pytest.raises(ConfigError, match=r"site\.friends: found true with the environment search; only the paginated"):
        start(environment={"kind": "search"}, site={"friends": True})


def test_a_language_agent_reads_what_it_is_told():
    items, told = np.array([[3, 4, 5]]), (np.array([[0, 1, 0]]), np.array([[0, 2, 0]]))
    page = Page(1, 0, items.astype(np.int32), {FRIENDS_LIKED: np.array([[1, 2, 0]])})
    assert friends_words(page, 0, told) == " (1 friend liked this)"
    assert friends_words(page, 1, told) == (
        " (2 friends liked this) (1 friend told you that they liked it) (2 friends told you that they disliked it)"
    )
    assert friends_words(page, 2, told) == ""
    assert friends_words(Page(1, 0, items.astype(np.int32)), 0, told) == ""
