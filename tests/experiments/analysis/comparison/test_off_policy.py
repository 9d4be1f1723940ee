"""Off-policy estimates: against values worked out by enumeration, against on-policy runs, and against obp."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.experiments.analysis.comparison.off_policy import (
    LoggedSessions,
    cascade,
    doubly_robust,
    effective_sessions,
    inverse_propensity,
    other_epsilon,
    self_normalised,
)
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment

CONSUMERS = Path(__file__).parents[4] / "build/consumers/bin/python"
"""An environment of its own, made by `make consumers`."""

ESTIMATORS = [inverse_propensity, self_normalised, cascade]

# A session of two steps with two actions each: the second action's chances and both rewards depend on the first action.
LOGGED = (np.array([0.6, 0.4]), np.array([[0.5, 0.5], [0.8, 0.2]]))
TARGET = (np.array([0.2, 0.8]), np.array([[0.9, 0.1], [0.3, 0.7]]))
REWARD = (np.array([0.1, 0.5]), np.array([[0.2, 0.6], [0.3, 0.9]]))
ON = 0.4
"""How likely the person is to see the second step after action 0; after action 1 it is 0.9."""
GOES_ON = np.array([ON, 0.9])


def truth(policy):
    first, second = policy
    return sum(
        first[a] * (REWARD[0][a] + GOES_ON[a] * sum(second[a, b] * REWARD[1][a, b] for b in (0, 1))) for a in (0, 1)
    )


def play(rng, policy, n):
    """Actions of both steps, whether the second was seen, and rewards."""
    a = (rng.random(n) < policy[0][1]).astype(int)
    b = (rng.random(n) < policy[1][a, 1]).astype(int)
    on = rng.random(n) < GOES_ON[a]
    rewards = np.column_stack([rng.random(n) < REWARD[0][a], on & (rng.random(n) < REWARD[1][a, b])]).astype(float)
    return a, b, on, rewards


def logged(rng, n, people=None):
    a, b, on, rewards = play(rng, LOGGED, n)
    weights = np.column_stack([TARGET[0][a] / LOGGED[0][a], np.where(on, TARGET[1][a, b] / LOGGED[1][a, b], 1.0)])
    return LoggedSessions(np.arange(n) % (people or n), weights, rewards), (a, b, on)


def guesses(a, b, on, error=0.0):
    """Q of what was logged and V of the target, right but for `error`."""
    second = REWARD[1] + error
    v_second = (TARGET[1] * second).sum(axis=1)
    q_first = REWARD[0] + error + GOES_ON * v_second
    n = len(a)
    q = np.column_stack([q_first[a], np.where(on, second[a, b], 0.0)])
    v = np.column_stack([np.full(n, (TARGET[0] * q_first).sum()), np.where(on, v_second[a], 0.0)])
    return q, v


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_intervals_cover_the_target_policys_value(estimate):
    rng = np.random.default_rng(1)
    value = truth(TARGET)
    found = [estimate(logged(rng, 400)[0]) for _ in range(600)]
    assert np.mean([each.mean for each in found]) == pytest.approx(value, abs=0.01)
    assert np.mean([each.low <= value <= each.high for each in found]) == pytest.approx(0.945, abs=0.03)


@pytest.mark.parametrize("error", [0.0, 0.5, -2.0])
def test_doubly_robust_is_right_whatever_the_guess_and_sharper_with_a_good_one(error):
    rng = np.random.default_rng(2)
    value, robust, plain = truth(TARGET), [], []
    for _ in range(600):
        sessions, played = logged(rng, 400)
        robust.append(doubly_robust(sessions, *guesses(*played, error=error)))
        plain.append(cascade(sessions).mean)
    means = np.array([each.mean for each in robust])
    assert means.mean() == pytest.approx(value, abs=0.02)
    assert np.mean([each.low <= value <= each.high for each in robust]) == pytest.approx(0.945, abs=0.03)
    if error == 0.0:
        assert means.std() < np.std(plain)


def test_doubly_robust_is_right_with_wrong_propensities_and_the_right_guess():
    rng = np.random.default_rng(3)
    sessions, (a, b, on) = logged(rng, 60_000)
    wrong = LoggedSessions(sessions.agents, sessions.weights**0.5, sessions.rewards)
    assert abs(cascade(wrong).mean - truth(TARGET)) > 0.03
    # The guess must be right given the action and what followed, so each step's own reward and going on enter it.
    assert doubly_robust(wrong, *guesses(a, b, on)).mean == pytest.approx(truth(TARGET), abs=0.01)


def test_running_the_target_policy_gives_what_was_estimated():
    rng = np.random.default_rng(0)
    on_policy = play(rng, TARGET, 40_000)[3].sum(axis=1)
    sessions, played = logged(rng, 40_000)
    for found in (*(estimate(sessions) for estimate in ESTIMATORS), doubly_robust(sessions, *guesses(*played))):
        error = np.hypot(found.standard_error, on_policy.std() / 200)
        assert abs(found.mean - on_policy.mean()) < 1.96 * error


def test_cascade_is_sharper_than_weighting_whole_sessions():
    sessions, _ = logged(np.random.default_rng(5), 5000)
    assert cascade(sessions).standard_error < inverse_propensity(sessions).standard_error
    assert effective_sessions(sessions) < 5000


def test_the_same_policy_has_the_mean_of_the_log_and_sessions_of_one_agent_are_not_independent():
    rng = np.random.default_rng(6)
    habit = rng.random(50)
    rewards = (rng.random((1000, 2)) < np.tile(habit, 20)[:, None]).astype(float)
    sessions = LoggedSessions(np.arange(1000) % 50, np.ones((1000, 2)), rewards)
    alone = LoggedSessions(np.arange(1000), np.ones((1000, 2)), rewards)
    for estimate in ESTIMATORS:
        assert estimate(sessions).mean == pytest.approx(rewards.sum(axis=1).mean())
        assert estimate(sessions).standard_error > 2 * estimate(alone).standard_error


def test_slots_become_steps_in_any_order():
    order = np.random.default_rng(7).permutation(5)
    rows = np.array([[7, 1, 0, 0.5, 0.25, 1], [7, 1, 0, 0.5, 1.0, 0], [7, 1, 1, 0.2, 0.1, 1], [9, 2, 0, 1.0, 1.0, 0],
                     [9, 2, 0, 0.1, 0.2, 1]])[order]  # fmt: skip
    sessions = LoggedSessions.from_slots(*(rows[:, n].astype(int) for n in range(3)), *(rows[:, n] for n in (3, 4, 5)))
    assert sessions.agents.tolist() == [1, 2]
    assert sessions.weights == pytest.approx(np.array([[1.0, 0.5], [2.0, 1.0]]))
    assert sessions.rewards.tolist() == [[1.0, 1.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="chance 0"):
        LoggedSessions.from_slots(*([np.array([0])] * 3), *([np.zeros(1)] * 3))
    with pytest.raises(ValueError, match="must agree"):
        LoggedSessions(np.zeros(2, dtype=int), np.ones((3, 1)), np.ones((3, 1)))


@given(st.floats(0.01, 0.49), st.floats(0, 1), st.integers(2, 500), st.booleans())
def test_another_epsilon_is_read_off_the_logged_chance(epsilon, target, candidates, is_next):
    chance = (1 - epsilon) * is_next + epsilon / candidates
    expected = (1 - target) * is_next + target / candidates
    if is_next or chance < 0.5:
        assert other_epsilon(np.array([chance]), epsilon, target)[0] == pytest.approx(expected, abs=1e-9)


def test_an_epsilon_that_hides_which_slot_was_which_is_refused():
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        other_epsilon(np.array([0.5]), 0.6, 0.1)


def test_enumeration_gives_the_truth_that_the_tests_hold_estimates_against():
    total = 0.0
    for a, b in itertools.product((0, 1), repeat=2):
        total += TARGET[0][a] * TARGET[1][a, b] * (REWARD[0][a] + GOES_ON[a] * REWARD[1][a, b])
    assert total == pytest.approx(truth(TARGET))


THEIRS = """
import json, sys
import numpy as np
from obp import ope
d = dict(np.load(sys.argv[1]))
n, steps = d["clicks"].shape
bandit = {"reward": d["reward"], "action": d["taken"], "pscore": d["pscore"], "action_dist": d["target"][:, :, None]}
slate = {"slate_id": np.repeat(np.arange(n), steps), "reward": d["clicks"].ravel(),
         "position": np.tile(np.arange(steps), n)}
print(json.dumps([
    ope.InverseProbabilityWeighting().estimate_policy_value(**bandit),
    ope.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**bandit),
    ope.DoublyRobust().estimate_policy_value(**bandit, estimated_rewards_by_reg_model=d["guess"][:, :, None]),
    ope.SlateStandardIPS(len_list=steps).estimate_policy_value(
        **slate, pscore=np.repeat(d["chances"].prod(axis=1), steps),
        evaluation_policy_pscore=np.repeat(d["wanted"].prod(axis=1), steps)),
    ope.SlateRewardInteractionIPS(len_list=steps).estimate_policy_value(
        **slate, pscore_cascade=d["chances"].cumprod(axis=1).ravel(),
        evaluation_policy_pscore_cascade=d["wanted"].cumprod(axis=1).ravel()),
]))
"""
"""What Open Bandit Pipeline makes of the same data; it wants an older NumPy than ours."""


@pytest.mark.heavy
@pytest.mark.skipif(not CONSUMERS.exists(), reason="make consumers installs sb-obp")
def test_agrees_with_obp_on_one_step_and_on_slates(tmp_path):
    rng = np.random.default_rng(8)
    n, actions, steps = 2000, 5, 3
    behaviour, target = rng.dirichlet(np.ones(actions), (2, n))
    guess, reward, rows = rng.random((n, actions)), rng.random(n), np.arange(n)
    taken = np.array([rng.choice(actions, p=row) for row in behaviour])
    pscore = behaviour[rows, taken]
    chances, wanted = rng.uniform(0.2, 1, (2, n, steps))
    clicks = (rng.random((n, steps)) < 0.3).astype(float)
    np.savez(
        tmp_path / "data.npz", taken=taken, reward=reward, pscore=pscore, target=target, guess=guess,
        chances=chances, wanted=wanted, clicks=clicks,
    )  # fmt: skip
    command = [CONSUMERS, "-c", THEIRS, tmp_path / "data.npz"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    one = LoggedSessions(rows, (target[rows, taken] / pscore)[:, None], reward[:, None])
    many = LoggedSessions(rows, wanted / chances, clicks)
    ours = [
        inverse_propensity(one),
        self_normalised(one),
        doubly_robust(one, guess[rows, taken][:, None], (target * guess).sum(axis=1)[:, None]),
        inverse_propensity(many),
        cascade(many),
    ]
    assert [found.mean for found in ours] == pytest.approx(json.loads(printed.splitlines()[-1]))


def test_the_log_of_one_policy_tells_what_another_would_get(tmp_path):
    """The platform's own self-test: explore with one epsilon, estimate another, then run that one."""
    config = {
        "name": "explore", "seed": 5, "dataset": {"name": "toy", "toy": {"n_users": 1500, "n_items": 60}},
        "mind": "behavioural", "site": {"page_size": 3, "max_pages": 1},
        "arms": [
            {"name": f"epsilon {epsilon}", "recommender": "epsilon_slots",
             "options": {"of": {"recommender": "popular"}, "epsilon": epsilon}}
            for epsilon in (0.4, 0.1)
        ],
    }  # fmt: skip
    log_experiment(ExperimentConfig.model_validate(config), tmp_path / "log.db")
    with sqlite3.connect(tmp_path / "log.db") as connection:
        slots = pd.read_sql_query(
            "SELECT arm_id, session_id, agent_id, page, pscore, clicked"
            " FROM impressions JOIN sessions USING (session_id)",
            connection,
        )
    explored, target = (slots[slots.arm_id == arm] for arm in sorted(slots.arm_id.unique()))
    on_policy = target.groupby("session_id").clicked.sum()
    logged = explored.pscore.to_numpy()
    sessions = LoggedSessions.from_slots(
        explored.session_id.to_numpy(), explored.agent_id.to_numpy(), explored.page.to_numpy() - 1, logged,
        other_epsilon(logged, 0.4, 0.1), explored.clicked.to_numpy(float),
    )  # fmt: skip
    flat = np.zeros_like(sessions.rewards) + sessions.rewards.mean()
    for found in (*(estimate(sessions) for estimate in ESTIMATORS), doubly_robust(sessions, flat, flat)):
        error = np.hypot(found.standard_error, on_policy.std() / np.sqrt(len(on_policy)))
        assert abs(found.mean - on_policy.mean()) < 1.96 * error
