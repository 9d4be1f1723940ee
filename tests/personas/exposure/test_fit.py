"""What a log of exposures tells is found with honest intervals; what it cannot tell stays a preset and says why."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.exposures import Exposures
from groundlings.personas.exposure.calibration import ExposureCalibration, read_exposure_calibration
from groundlings.personas.exposure.fit import Audience, fit_exposures
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.exposure.presets import EXIT, LEVEL, POSITION, REPEAT
from groundlings.personas.exposure.utility import Features, Shown, UtilityPreset, fit_liking, fit_utility

ROOT = Path(__file__).parents[3]
PRESET = UtilityPreset(-1.0, {"appeal": 1.0}, "a test")
TRUE_WEIGHTS, TRUE_LEVEL = (0.3, 1.2), -2.0


def audience(table: Exposures, features: Features | None = None, **changes) -> Audience:
    """Everybody is fitted on, unless `changes` say who is held out."""
    nobody = np.zeros(len(table), dtype=np.bool_)
    given = {
        "dataset": "made up", "dataset_hash": "0", "like_from": 4.0, "features": features, "known_pairs": nobody,
        "held_out": nobody, "opening": PRESET, "liking": PRESET,
    }  # fmt: skip
    return Audience(**{**given, **changes})


def random_log(people=200, each=10, *, exponent=0.0, seed=5, **columns) -> tuple[Exposures, Features]:
    """Random items in lists of `each`, opened for two features; the preset knows one of them, with a wrong weight."""
    rng, n = np.random.default_rng(seed), people * each
    users, places = np.repeat(np.arange(people), each), np.tile(np.arange(1, each + 1), people)
    values = rng.normal(size=(n, 2))
    opened = rng.random(n) < places**-exponent * expit(TRUE_LEVEL + values @ np.array(TRUE_WEIGHTS))
    table = Exposures.of(
        users, np.arange(n) % 50, n_users=people, n_items=50, policy="random", positions=places, opened=opened,
        lists=users, **{name: column(n) for name, column in columns.items()},
    )  # fmt: skip
    return table, Features(("appeal", "liking"), values)


def sessions_log(pages, *, users=None, censored=None, seed=0) -> Exposures:
    """One exposure per page of each session; `pages` are their numbers."""
    pages = np.array(pages)
    users = np.arange(len(pages)) if users is None else np.array(users)
    session = np.repeat(np.arange(len(pages)), pages)
    page = np.concatenate([np.arange(1, count + 1) for count in pages])
    opened = np.random.default_rng(seed).random(len(page)) < 0.3
    cut = np.zeros(len(page), dtype=np.bool_) if censored is None else np.array(censored)[session]
    return Exposures.of(
        users[session], np.zeros(len(page), dtype=np.int64), n_users=int(users.max()) + 1, n_items=1, policy="logged",
        sessions=session, pages=page, opened=opened, censored=cut,
    )  # fmt: skip


def holds(parameter: Parameter, truth: float) -> bool:
    assert parameter.fitted, parameter.note
    assert parameter.low is not None
    assert parameter.high is not None
    return parameter.low <= truth <= parameter.high


def test_two_hundred_people_with_ten_exposures_each_beat_the_preset_on_people_held_out():
    table, features = random_log(people=300)
    held_out = table.users >= 200
    found = fit_exposures(table, audience(table, features, held_out=held_out), shape="flat").utility
    assert found.people == 200
    assert holds(found.weights["appeal"], TRUE_WEIGHTS[0])
    assert holds(found.weights["liking"], TRUE_WEIGHTS[1])
    assert holds(found.intercept, TRUE_LEVEL)
    gains = {gain.measure: gain for gain in found.gains}
    assert set(gains) == {"log_likelihood", "brier", "auc"}
    assert all(gain.people == 100 and gain.over_preset.low > 0 for gain in gains.values())
    assert gains["auc"].constant == 0.5


def test_few_exposures_are_pulled_towards_the_preset_and_many_are_not():
    far = UtilityPreset(TRUE_LEVEL, {"appeal": TRUE_WEIGHTS[0] + 4, "liking": TRUE_WEIGHTS[1]})
    moved = {}
    for people in (20, 400):
        table, features = random_log(people)
        utility = fit_exposures(table, audience(table, features, opening=far), shape="flat").utility
        moved[people] = (far.weights["appeal"] - utility.weights["appeal"].value) / 4
    assert 0.5 < moved[20] < 0.9
    assert 0.95 < moved[400] < 1.05


def test_intervals_of_few_rows_allow_for_a_preset_that_is_wrong():
    held = []
    for seed in range(40):
        table, features = random_log(12, seed=seed)
        truth = UtilityPreset(
            TRUE_LEVEL, {"appeal": TRUE_WEIGHTS[0], "liking": TRUE_WEIGHTS[1] - 0.5}
        )  # one spread off
        found = fit_exposures(table, audience(table, features, opening=truth), shape="flat").utility
        if found.people:
            held.append(holds(found.weights["liking"], TRUE_WEIGHTS[1]))
    assert len(held) > 20
    assert np.mean(held) > 0.85


def test_a_feature_that_is_the_same_in_every_row_keeps_its_preset():
    table, features = random_log(60)
    alike = Features(features.names, features.values * [1.0, 0.0])
    found = fit_exposures(table, audience(table, alike), shape="flat").utility
    assert found.weights["appeal"].fitted
    assert not found.weights["liking"].fitted
    assert "the same in every row" in found.weights["liking"].note
    rows = Shown(table.opened, table.users, alike, None, np.zeros(len(table)), np.zeros(len(table), dtype=np.bool_))
    assert not fit_liking(rows, PRESET).weights["liking"].fitted


def test_what_is_not_known_of_looking_is_not_known_of_wanting():
    table, features = random_log(people=100, exponent=0.7)
    look = -0.7 * np.log(table.positions)
    shown = Shown(table.opened, table.users, features, None, look, np.zeros(len(table), dtype=np.bool_))
    sure = fit_utility("opened", shown, PRESET).intercept
    unsure = fit_utility("opened", shown, PRESET, look_error=-0.2 * np.log(table.positions)).intercept
    assert unsure.value == sure.value
    assert unsure.high - unsure.low > 1.2 * (sure.high - sure.low)


def test_too_few_opens_leave_the_preset_and_say_how_many_there_were():
    table, features = random_log(people=3)
    found = fit_exposures(table, audience(table, features))
    assert found.utility.weights["appeal"].value == PRESET.weights["appeal"]
    assert "needed 20 of each" in found.utility.weights["appeal"].note
    assert found.position.exponent.value == POSITION["list"].exponent.value
    assert found.level.value == LEVEL.value


def test_position_and_level_are_found_with_a_free_curve_beside():
    table, features = random_log(people=1500, exponent=0.7)
    found = fit_exposures(table, audience(table, features))
    level = expit(TRUE_LEVEL + np.random.default_rng(0).normal(size=(100_000, 2)) @ np.array(TRUE_WEIGHTS)).mean()
    assert holds(found.position.exponent, 0.7)
    assert holds(found.level, level)
    assert list(found.position.curve) == list(range(1, 11))
    assert found.position.p_values["flat"] < 0.001
    assert found.position.p_values["power"] > 0.01
    assert found.position.look(np.array([1, 4])) == pytest.approx([1.0, 4**-found.position.exponent.value])
    assert holds(found.utility.intercept, TRUE_LEVEL), "looking is taken out"


def test_places_that_are_all_looked_at_fit_a_flat_curve():
    table, features = random_log(people=600, each=3)
    found = fit_exposures(table, audience(table, features)).position
    assert found.exponent.low is not None
    assert found.exponent.low <= 0 <= found.exponent.value
    assert found.p_values["flat"] > 0.01
    assert found.p_values["preset"] < 0.01


def test_places_further_down_that_are_opened_more_often_are_all_looked_at():
    n, third = 3000, np.tile([1, 2, 3], 1000)
    opened = np.random.default_rng(4).random(n) < np.array([0.1, 0.2, 0.3])[third - 1]
    table = Exposures.of(
        np.arange(n) // 3, np.zeros(n, dtype=np.int64), n_users=1000, n_items=1, policy="random", positions=third,
        opened=opened,
    )  # fmt: skip
    found = fit_exposures(table, audience(table))
    assert found.position.exponent.value == 0
    assert found.position.exponent.high < 0
    assert "further down were opened more often" in found.position.exponent.note
    assert found.level.value == pytest.approx(opened.mean())


def test_a_grid_is_looked_at_row_by_row():
    table, features = random_log(people=900, each=12)
    rows = (table.positions - 1) // 4 + 1
    rng = np.random.default_rng(1)
    opened = rng.random(len(table)) < 0.3 * rows**-0.8
    grid = Exposures.of(
        table.users, table.items, n_users=900, n_items=50, policy="random", positions=table.positions, opened=opened
    )
    found = fit_exposures(grid, audience(grid, features), shape="grid", columns=4)
    assert holds(found.position.exponent, 0.8)
    assert list(found.position.curve) == [1, 2, 3]
    assert found.position.look(np.array([1, 4, 5]))[0:2].tolist() == [1, 1]


def test_a_recommender_that_shows_each_item_at_one_position_tells_nothing_of_positions():
    table, features = random_log()
    fixed = Exposures.of(
        table.users, table.positions - 1, n_users=200, n_items=10, policy="logged", positions=table.positions,
        opened=table.opened,
    )  # fmt: skip
    found = fit_exposures(fixed, audience(fixed, features))
    assert not found.position.exponent.fitted
    assert "one position only" in found.position.exponent.note
    assert "a recommender's choice" in found.level.note
    assert found.utility.weights["liking"].fitted


def test_propensities_undo_what_a_recommender_preferred():
    rng, people = np.random.default_rng(2), 4000
    good = rng.random(people * 2) < 0.9  # the better of two items is shown nine times out of ten
    opened = rng.random(people * 2) < np.where(good, 0.6, 0.1)
    columns = {
        "n_users": people, "n_items": 2, "policy": "logged", "opened": opened,
        "positions": np.tile([1, 2], people), "propensities": np.where(good, 0.9, 0.1),
    }  # fmt: skip
    table = Exposures.of(np.repeat(np.arange(people), 2), good.astype(np.int64), **columns)
    found = fit_exposures(table, audience(table), shape="flat")
    assert holds(found.level, 0.35)
    assert "weigh as much as" in found.level.note


def test_likes_of_random_items_that_were_rated_unopened_have_weights_of_their_own():
    table, features = random_log(people=300)
    stars = np.where(table.opened > 0, 5.0, 2.0)
    rated = Exposures.of(table.users, table.items, n_users=300, n_items=50, policy="random", ratings=stars)
    held_out = rated.users % 3 == 0
    found = fit_exposures(rated, audience(rated, features, held_out=held_out))
    assert holds(found.liking.weights["liking"], TRUE_WEIGHTS[1])
    assert holds(found.like_level, float(table.opened.mean()))
    assert found.liking.gains[0].over_preset.value > 0
    for preset in (found.position.exponent, found.level, found.utility.intercept):
        assert not preset.fitted
        assert "no column says which shown items were opened" in preset.note


def test_items_of_the_history_are_no_part_of_a_utility_and_are_counted():
    table, features = random_log()
    known = table.items < 5
    values = features.values.copy()
    values[known] = 1000.0  # would bend any fit
    spoilt = Features(features.names, values)
    found = fit_exposures(table, audience(table, spoilt, known_pairs=known), shape="flat")
    assert found.counts.known_pairs == known.sum()
    assert found.utility.exposures == (~known).sum()
    assert holds(found.utility.weights["liking"], TRUE_WEIGHTS[1])


def test_an_item_that_is_shown_again_is_opened_less():
    rng, people, times = np.random.default_rng(3), 800, 4
    users, place = np.repeat(np.arange(people), times), np.tile(np.arange(times), people)
    opened = rng.random(len(users)) < expit(-0.5 - 0.9 * np.log2(1 + place))
    table = Exposures.of(
        users, np.zeros(len(users), dtype=np.int64), n_users=people, n_items=1, policy="random", opened=opened,
        positions=np.ones(len(users), dtype=np.int64), timestamps=place,
    )  # fmt: skip
    found = fit_exposures(table, audience(table, Features((), np.zeros((len(users), 0)))), shape="flat")
    assert holds(found.repeat, -0.9)
    unseen = fit_exposures(random_log()[0], audience(*random_log()))
    assert unseen.repeat.value == REPEAT.value
    assert "no column says when" in unseen.repeat.note


def test_exits_are_a_hazard_in_which_censored_sessions_do_not_leave():
    # 60 sessions leave after page 1, 30 after page 2, and 30 reach page 3, the last: .5 of 120, .5 of 60.
    found = fit_exposures(
        log := sessions_log([1] * 60 + [2] * 30 + [3] * 30, censored=[0] * 90 + [1] * 30), audience(log)
    )
    assert found.exit.kind == "flat"
    assert found.exit.hazard.value == pytest.approx(0.5)
    assert [(each.page, each.at_risk, each.left) for each in found.exit.by_page] == [(1, 120, 60), (2, 60, 30)]
    assert found.exit.censored == 30
    assert found.exit.leaving(np.array([1, 5])) == pytest.approx([0.5, 0.5])


def test_a_hazard_that_rises_is_said_to():
    found = fit_exposures(log := sessions_log([1] * 40 + [2] * 80 + [3] * 200), audience(log)).exit
    assert found.kind == "rising"
    assert found.leaving(np.array([1]))[0] < found.leaving(np.array([2]))[0]


def test_one_long_session_does_not_bend_the_hazard_of_all():
    log = sessions_log([1] * 100 + [2] * 50 + [3] * 25 + [4] * 13 + [5] * 12 + [300])
    assert fit_exposures(log, audience(log)).exit.kind == "flat"


def test_sessions_of_one_person_are_no_independent_evidence():
    pages = [1] * 100 + [3] * 100
    alone = fit_exposures(log := sessions_log(pages), audience(log)).exit.hazard
    together = fit_exposures(log := sessions_log(pages, users=np.arange(200) // 10), audience(log)).exit.hazard
    assert alone.value == together.value
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_a_few_sessions_leave_the_preset():
    found = fit_exposures(log := sessions_log([1] * 19), audience(log)).exit
    assert found.hazard.value == EXIT["flat"].hazard.value
    assert "found 19 sessions" in found.hazard.note


def test_people_come_back_on_a_share_of_the_days_and_open_gaps_count():
    # Each of 30 people is there on days 0, 2 and 4, and the log ends on day 10 for everybody: 2 returns in 10 days.
    days = np.array([0, 2, 4])
    users = np.repeat(np.arange(31), 3)
    times = np.concatenate([*[days] * 30, [0, 0, 10]]) * 86_400
    log = Exposures.of(users, users * 0, n_users=31, n_items=1, policy="logged", timestamps=times)
    found = fit_exposures(log, audience(log)).returns
    assert found.daily.value == pytest.approx(61 / 310)
    assert found.mean_gap_days.value == pytest.approx(310 / 61)
    assert (found.gaps, found.censored) == (61, 30)


def test_nothing_is_fitted_on_people_held_out():
    table, features = random_log()
    held_out = table.users >= 150
    whole = fit_exposures(table, audience(table, features, held_out=held_out))
    alone = table.take(~held_out)
    part = fit_exposures(alone, audience(alone, features.take(~held_out)))
    assert [each for _, each in whole.parameters()] == [each for _, each in part.parameters()]
    assert (whole.counts.people, whole.counts.held_out_people) == (150, 50)
    assert part.utility.gains == ()


def test_a_file_reads_back_as_it_was_written(tmp_path):
    table, features = random_log()
    found = fit_exposures(table, audience(table, features))
    path = tmp_path / "exposures.json"
    path.write_text(found.as_text())
    assert read_exposure_calibration(path) == found
    assert found.model_copy(update={"created": "1999-01-01"}).sha256 == found.sha256
    other = ExposureCalibration.model_validate(found.model_dump() | {"level": found.like_level.model_dump()})
    assert other.sha256 != found.sha256


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"format": "groundlings calibration 1"}'])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(DataError, match="not a calibration of exposures of this version"):
        read_exposure_calibration(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_exposure_calibration(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("keys", "value", "told"),
    [
        (("position", "exponent", "value"), -1.0, "expected 0 or more"),
        (("exit", "hazard", "value"), 1.5, "expected a probability"),
        (("position", "kind"), "grid", "position is a grid with no columns"),
        (("level", "value"), "much", "level.value"),
        (("surprise",), 1, "surprise"),
    ],
)
def test_figures_that_cannot_be_are_refused(tmp_path, keys, value, told):
    table, features = random_log(people=20)
    content = fit_exposures(table, audience(table, features)).model_dump(mode="json")
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=told):
        read_exposure_calibration(path)


@pytest.mark.parametrize("log", ["random", "propensities", "harvested, people known"])
def test_intervals_hold_the_truth_about_as_often_as_they_promise(log):
    spec = importlib.util.spec_from_file_location("exposures_benchmark", ROOT / "benchmarks" / "exposures.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = benchmark  # its dataclasses look themselves up
    spec.loader.exec_module(benchmark)
    for name, rows in benchmark.coverage(log, draws=60, people=80, seed=11).items():
        value, low, high, truth = rows.T
        assert ((low <= truth) & (truth <= high)).mean() >= 0.85, name
        assert abs(value.mean() - truth[0]) < 0.35 * (high - low).mean(), f"{name} is biased"


def rated_log(people, weights, seed=5):
    """Random items, all rated; whether one is liked rests on three features, of which the preset knows `liking`."""
    rng, n = np.random.default_rng(seed), people * 10
    values = rng.normal(size=(n, 3))
    liked = rng.random(n) < expit(-1.0 + values @ np.array(weights))
    table = Exposures.of(
        np.repeat(np.arange(people), 10), np.arange(n) % 50, n_users=people, n_items=50, policy="random",
        ratings=np.where(liked, 5.0, 1.0),
    )  # fmt: skip
    features = Features(("appeal", "liking", "popularity"), values)
    return fit_exposures(table, audience(table, features, liking=UtilityPreset(-0.5, {"liking": 1.0}, "a test"))).liking


def test_what_people_like_rests_on_no_further_feature_that_the_log_cannot_tell_from_nothing():
    found = rated_log(200, (0.0, 1.1, 0.0))
    assert [found.weights[name].origin for name in ("appeal", "liking", "popularity")] == ["preset", "fitted", "preset"]
    assert found.weights["popularity"].value == 0
    assert "estimated at" in found.weights["popularity"].note
    assert holds(found.weights["liking"], 1.1)


def test_what_people_like_rests_on_a_further_feature_that_the_log_shows():
    found = rated_log(200, (0.0, 1.1, 0.6))
    assert found.weights["appeal"].value == 0
    assert holds(found.weights["popularity"], 0.6)
