"""What `synthesize` says of its own log: on logs whose right answer is known, and where nothing can be measured."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundlings.environments.interactions import Interactions
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.quality import discriminator, sequences
from groundlings.experiments.exports.quality.discriminator import tell_apart
from groundlings.experiments.exports.quality.figures import Figure, auc, share
from groundlings.experiments.exports.quality.marginals import (
    CATEGORY_STEPS,
    GAPS,
    HALVES,
    ITEMS,
    NAMES,
    RATINGS,
    REPEATS,
    distances,
)
from groundlings.experiments.exports.quality.measuring import ArmQuality, LogQuality, measure_rows, read_interactions
from groundlings.experiments.exports.quality.page import render_page
from groundlings.experiments.exports.quality.privacy import FEWEST_ITEMS, privacy
from groundlings.experiments.exports.quality.real import MOST_AGENTS, RealData, of_users
from groundlings.experiments.exports.quality.sentences import markdown, terminal_lines
from groundlings.experiments.exports.quality.sequences import matched
from groundlings.experiments.exports.quality.shared_runs import longest_shared_runs
from groundlings.experiments.exports.quality.training import TrainingTest, as_further_users
from groundlings.experiments.exports.quality.uses import answer_of, uses_of
from groundlings.experiments.exports.source import LogSource
from groundlings.experiments.exports.synthesis import synthesise
from groundlings.experiments.running.held_out import sample
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import LogReader

ROOT = Path(__file__).parents[3]
TOY = {
    "name": "quality",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 120, "n_items": 80, "interactions_per_user": 30}},
    "population": {"size": 70},
    "simulation": {"days": 3},
    "site": {"page_size": 5, "max_pages": 2},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4, "pages": 2},
    "arms": [{"name": "popular", "recommender": "popular"}],
}


def of_toy(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**TOY, **changes})


@pytest.fixture(scope="module")
def real() -> RealData:
    return RealData.of(build_plan(of_toy()))


@pytest.fixture(scope="module")
def copied(real) -> ArmQuality:
    """Of a log that is the training part of the agents' users itself."""
    return measure_rows(real, {"copied": of_users(real.train, real.agents)}).arms["copied"]


@pytest.fixture(scope="module")
def perfect(real) -> ArmQuality:
    """Of a log that is what the same people really did next."""
    return measure_rows(real, {"perfect": of_users(real.held_out, real.agents)}).arms["perfect"]


def test_recommenders_learn_from_a_log_that_is_the_real_one_what_they_learn_from_the_real_one(copied):
    assert [row.recommender for row in copied.training[::2]] == ["als", "item_knn", "ease", "popular"]
    for row in copied.training:
        assert row.ratio.value == 1.0
        assert row.synthetic.value == row.real.value > 0
        assert (row.ratio.low, row.ratio.high) == (1.0, 1.0)
        assert row.real.low < row.real.value < row.real.high


def test_rows_that_are_there_already_teach_the_same_user_nothing_new(copied):
    assert all(row.merged_gain.value == 0.0 for row in copied.training)
    popular = copied.trained("popular")
    assert popular.added.value == popular.real.value, "counts that are all twice as large give the same order"


def test_rows_of_further_users_are_nobody_elses(real):
    both = as_further_users(real.known, of_users(real.train, real.agents))
    assert both.n_users == 2 * real.known.n_users
    assert both.users[len(real.known) :].tolist() == (real.known.users + real.known.n_users).tolist()
    assert both.matrix.nnz == 2 * real.known.matrix.nnz


def test_a_log_that_is_the_training_part_raises_the_alarm(copied):
    found = copied.privacy
    assert found.alarm
    assert found.copies.synthetic.value == found.contained.synthetic.value == 1.0
    assert found.copies.real.value < 0.1
    assert found.longest.synthetic.value == 24 > found.longest.real.value
    assert found.membership.synthetic.value > 0.99
    assert found.membership.synthetic.low > 0.9
    assert found.own.synthetic.value == found.close.synthetic.value == 1.0
    assert found.own.real.value < 0.2
    assert 0.05 <= found.close.real.value < 0.5


def test_what_stands_in_a_long_history_in_another_order_is_no_copy_of_it(real):
    user = int(real.agents[0])
    long = real.train.items[real.train.users == user]
    others = real.agents[1:]
    random = np.random.default_rng(2)
    items = np.concatenate([random.permutation(long)[:10] for _ in others])
    log = Interactions.of(
        np.repeat(others, 10), items, None, np.arange(len(items)), n_users=120, n_items=80, synthetic=True
    )
    found = privacy(real, log, matched(real, log))
    assert found.contained.synthetic.value == 1.0
    assert found.copies.synthetic.value == 0.0
    assert not found.alarm


def test_a_log_that_is_real_behaviour_cannot_be_told_from_it(perfect):
    apart = perfect.told_apart
    assert apart.items.value == apart.everything.value == 0.5
    assert 0.25 < apart.floor.value < 0.75
    for each in perfect.distances:
        assert each.synthetic == each.floor
    assert not perfect.privacy.alarm
    assert perfect.privacy.distance.synthetic == perfect.privacy.distance.real
    assert perfect.privacy.close.synthetic == perfect.privacy.close.real


def test_what_the_same_people_did_next_makes_real_rows_better(perfect):
    assert perfect.trained("als").merged_gain.low > 0


def test_rare_items_dealt_out_at_random_are_told_apart_and_teach_less(real):
    rows = of_users(real.held_out, real.agents)
    rare = np.argsort(real.train.item_counts)[:40]
    log = replace(rows, items=np.random.default_rng(1).choice(rare, len(rows)).astype(np.int32))
    pair = matched(real, log)
    assert tell_apart(real, pair).items.low > 0.7
    far = {each.name: each for each in distances(real, log, pair)}
    assert far[ITEMS].synthetic.low > far[ITEMS].floor.high
    assert far[CATEGORY_STEPS].synthetic.value > far[CATEGORY_STEPS].floor.value
    assert far[RATINGS].synthetic == far[RATINGS].floor, "the ratings are as they were"
    trained = [row for row in TrainingTest(real).of(log) if row.metric == "ndcg"]
    assert all(row.ratio.high < 1 for row in trained if row.recommender != "popular")


def test_other_times_are_told_apart_by_times_and_not_by_items(real):
    rows = of_users(real.held_out, real.agents)
    log = replace(rows, timestamps=np.full(len(rows), int(rows.timestamps.max())))
    apart = tell_apart(real, matched(real, log))
    assert apart.items.value == 0.5
    assert apart.everything.low > 0.95


def test_a_log_without_interactions_has_a_reason_in_the_place_of_every_figure(real):
    nothing = real.train.take(np.zeros(0, dtype=np.int64))
    found = measure_rows(real, {"empty": nothing})
    arm = found.arms["empty"]
    for row in arm.training:
        assert row.ratio.value is None
        assert "no interaction" in row.ratio.missing
        assert row.real.value is not None
    assert "no interaction" in arm.told_apart.items.missing
    assert all(each.synthetic.missing for each in arm.distances)
    assert "no interaction" in arm.privacy.copies.synthetic.missing
    assert any("n/a" in line for line in terminal_lines(found))


def test_membership_needs_people_outside_of_the_audience():
    everybody = RealData.of(build_plan(of_toy(population={"size": "all"})))
    log = of_users(everybody.held_out, everybody.agents)
    found = measure_rows(everybody, {"all": log}).arms["all"].privacy
    assert found.membership.synthetic.value is None
    assert "120 users with a training part are behind agents and 0 are not" in found.membership.synthetic.missing


def test_a_log_that_repeats_itself_is_further_from_real_shares_of_repeats(real):
    rows = of_users(real.held_out, real.agents)
    first = np.searchsorted(rows.users, rows.users)
    log = replace(rows, items=rows.items[first])
    far = {each.name: each for each in distances(real, log, matched(real, log))}
    assert far[REPEATS].floor.value == 0.0, "nobody of the toy data takes anything twice"
    assert far[REPEATS].synthetic.value == 1.0, "and everybody of this log takes the same item again"


def test_arms_of_a_split_are_one_log(tmp_path, quick_report):
    arms = [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}]
    config = of_toy(design="split", arms=arms, simulation={"days": 1}, held_out=False)
    with LogSource(run_experiment(config, tmp_path / "run").directory) as source:
        found = read_interactions(RealData.of(build_plan(config)), source)
        opened = sum(counts.opened for counts in source.counts().values())
    assert [*map(len, found.values())] == [opened]
    assert list(found) == ["all arms"]


def test_several_arms_get_two_lines_each_and_an_alarm_stands_first(copied, perfect):
    quality = LogQuality({"copied": copied, "<b>": perfect}, 70, 70, 70, 1680)
    lines = terminal_lines(quality)
    assert len(lines) == 4
    assert lines[0].startswith("copied: nDCG@10 on real held-out behaviour: ALS .")
    assert "(ratio 1.00 [1.00, 1.00])" in lines[0]
    assert "ALARM: copies of training histories" in lines[1]
    assert "ALARM" not in lines[3]
    text = "\n".join(markdown(quality))
    assert text.count("**ALARM") == 1
    assert answer_of(quality)[0] == "Do not pass it on: copied hold copies of real histories"
    assert "every recommender reaches .95 of the real figure" in text.partition("<b>")[0]
    assert "do not train on it alone" in text.partition("<b>")[2]


def test_what_a_log_is_good_for_follows_its_figures(copied, perfect):
    uses = {use.what: use for use in uses_of(copied)}
    assert uses["Train a recommender on it alone"].standing == "good"
    assert uses["Pass it on in place of the real data"].standing == "bad"
    real_ones = {use.what: use for use in uses_of(perfect)}
    assert real_ones["Take it for the way people behave"].standing == "good"
    assert real_ones["Pass it on in place of the real data"].standing != "good", "no figure proves that"
    row = copied.training[0]
    short = replace(copied, training=(replace(row, ratio=Figure(0.9, 0.8, 0.99, 70)), *copied.training[1:]))
    assert uses_of(short)[0].standing == "bad"
    unsure = replace(copied, training=(replace(row, ratio=Figure(0.96, 0.9, 1.02, 70)), *copied.training[1:]))
    assert uses_of(unsure)[0].standing == "open"
    assert "ALS" in uses_of(unsure)[0].why


def test_the_page_is_fit_for_phone_paper_and_screen_readers(copied, perfect, tmp_path, fit_for_everybody):
    names = ("generator", "run_id", "status", "seed", "config_hash", "digest", "experiment")
    data = {"name": "<i>toy", "hash": "d", "source": "made up", "licence": "none"}
    facts = {**dict.fromkeys(names, "x"), "dataset": data, "format": {"name": "lenskit"}, "versions": {"numpy": "2"}}
    page = render_page(LogQuality({"copied": copied, "<b>": perfect}, 70, 70, 70, 1680), facts)
    assert "<b>:" not in page
    assert "<i>toy" not in page
    (tmp_path / "quality.html").write_text(page, encoding="utf-8")
    fit_for_everybody(tmp_path / "quality.html")


def test_a_log_of_which_nothing_is_known_has_no_answer(real):
    nothing = measure_rows(real, {"empty": of_users(real.train, real.agents[:0])})
    assert answer_of(nothing)[0] == "Not known"
    assert {use.standing for use in uses_of(nothing.arms["empty"])} <= {"open"}


def test_the_document_states_the_bounds_of_the_code():
    told = " ".join((ROOT / "docs/synthetic-logs.md").read_text().split())
    for sentence in (
        f"At most {MOST_AGENTS:,} agents train the recommenders, {sample.MOST_PEOPLE:,} of them are scored, sequences "
        f"are of {sequences.MOST_PEOPLE:,} users and {sequences.MOST_ROWS} interactions",
        f"the mean over {HALVES} random halves",
        f"reads {len(discriminator.ITEM_FEATURES)} features of items",
        f"(nine tenths in the same order as in one training history, or the same set; {FEWEST_ITEMS} items or more)",
    ):
        assert sentence in told
    assert all(name.partition(" (")[0].partition(" over")[0] in told for name in NAMES)


def test_gaps_need_two_days_and_sequences_need_enough_people(real):
    log = of_users(real.held_out, real.agents)
    one_day = replace(real, days=1)
    far = {each.name: each for each in distances(one_day, log, matched(one_day, log))}
    assert far[GAPS].synthetic.missing == "the run is one day long"
    few = of_users(log, real.agents[:19])
    assert "19 agents have 3 interactions or more" in matched(real, few).missing


def test_datasheet_page_and_terminal_say_what_the_log_is_worth(tmp_path):
    done = synthesise(of_toy(), "lenskit", tmp_path / "made", tmp_path / "kept")
    facts = json.loads((tmp_path / "made/datasheet.json").read_text())
    assert facts["quality"] == json.loads(json.dumps(done.quality.as_dict()))
    assert facts["quality"]["agents"] == 70
    text = (tmp_path / "made/DATASHEET.md").read_text()
    for heading in ("## What it is worth", "**For training.**", "**Told apart.**", "**Privacy**"):
        assert heading in text
    lines = terminal_lines(done.quality)
    assert [line.split()[0] for line in lines] == ["training", "told", "distances", "privacy"]
    ratio = facts["quality"]["arms"]["popular"]["training"][0]["ratio"]["value"]
    assert f"(ratio {ratio:.2f}".replace("0.", ".") in lines[0]

    page = (tmp_path / "made/quality.html").read_text()
    assert " ".join(answer_of(done.quality)[1].split()) in " ".join(unescape(page).split())
    assert facts["digest"] in page

    export_run(tmp_path / "kept", "lenskit", tmp_path / "exported")
    assert not (tmp_path / "exported/quality.html").exists()
    assert "quality" not in json.loads((tmp_path / "exported/datasheet.json").read_text())


def test_interactions_are_read_as_the_log_counts_them(tmp_path, quick_report):
    config = of_toy(site={"page_size": 5, "max_pages": 2, "actions": ["click", "add_to_cart", "purchase"]},
                    mind="behavioural", simulation={"days": 1}, held_out=False)  # fmt: skip
    run = run_experiment(config, tmp_path / "run").directory
    real = RealData.of(build_plan(config))
    with LogSource(run) as source:
        found = read_interactions(real, source)["popular"]
    with LogReader(run) as log:
        frame = log.interactions("popular")
    assert 0 < len(frame) < len(log_clicks(run))
    ids = np.array(real.context.user_ids)[found.users], np.array(real.catalog.item_ids)[found.items]
    assert sorted(zip(*ids, strict=True)) == sorted(zip(frame.user_id, frame.item_id, strict=True))
    assert (found.timestamps == frame.timestamp.to_numpy()).all()


def log_clicks(run) -> list:
    with LogReader(run) as log:
        return log.query("SELECT impression_id FROM impressions WHERE clicked")


histories = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=4)


def rows_of(lists: list[list[int]]) -> Interactions:
    users = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
    items = np.array([item for each in lists for item in each])
    return Interactions.of(users, items, None, np.arange(len(users)), n_users=9, n_items=4)


@given(histories, histories)
def test_the_longest_shared_run_is_the_longest_shared_run(ours, theirs):
    def runs(each: list[int], length: int) -> set[tuple[int, ...]]:
        return {tuple(each[at : at + length]) for at in range(len(each) - length + 1)}

    expected = [
        max((n for n in range(1, 7) for other in theirs if runs(each, n) & runs(other, n)), default=0) for each in ours
    ]
    assert longest_shared_runs(rows_of(ours), rows_of(theirs)).tolist() == expected


numbers = st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(lambda values: np.array(values, dtype=np.float64))


@given(numbers, numbers)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(positive, negative):
    pairs = np.sign(positive[:, None] - negative) / 2 + 0.5
    assert auc(positive, negative) == pytest.approx(pairs.mean())
    assert auc(positive, negative) + auc(negative, positive) == pytest.approx(1)


@given(st.lists(st.booleans(), min_size=1, max_size=30).map(np.array))
def test_a_share_lies_within_its_interval_and_is_never_certain(yes):
    found = share(yes)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**16))
def test_sequences_of_a_pair_have_the_same_users_and_lengths(real, seed):
    random = np.random.default_rng(seed)
    users = np.sort(random.choice(real.agents, 300))
    log = Interactions.of(
        users, random.integers(0, 80, 300), None, random.integers(0, 9, 300), n_users=120, n_items=80, synthetic=True
    )
    pair = matched(real, log)
    assert pair.real.users.tolist() == pair.synthetic.users.tolist()
    assert pair.real.lengths.tolist() == pair.synthetic.lengths.tolist()
    assert (pair.real.lengths >= 3).all()
