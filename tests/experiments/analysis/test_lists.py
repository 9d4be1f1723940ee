"""What an arm showed as a whole, and what each group of items got, with intervals that know that agents differ."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from money_shop import shop_experiment

import groundlings as gl
from groundlings.environments.errors import UserError
from groundlings.experiments.analysis.metrics import item_groups
from groundlings.experiments.analysis.metrics.item_counts import PARTS, ArmItems, estimate, jackknife, read_item_counts
from groundlings.experiments.analysis.metrics.item_groups import OTHERS, THIRDS, measure_groups
from groundlings.experiments.analysis.metrics.lists import NAMES, measure_lists
from groundlings.experiments.analysis.metrics.ranking import coverage, gini
from groundlings.experiments.config.item_groups import GroupsConfig, read_item_groups
from groundlings.experiments.config.loading import config_hash
from groundlings.simulator.log.reader import LogReader


@pytest.fixture(scope="module")
def log(shop_directory):
    with LogReader(shop_directory) as reader:
        yield reader


@pytest.fixture(scope="module")
def lists(log):
    return {each.name: each for each in measure_lists(log)}


@pytest.fixture(scope="module")
def groupings(log):
    return {each.name: each for each in measure_groups(log)}


def share_covered(counts):
    return float((counts > 0).mean())


def test_coverage_and_gini_are_those_of_the_impressions(log, lists):
    assert tuple(lists) == NAMES
    number = {item: place for place, item in enumerate(log.items().item_id)}
    for arm, rows in log.impressions().groupby("arm"):
        items = rows.item_id.map(number).to_numpy(np.int32)
        assert lists["coverage"].arms[arm].value.mean == pytest.approx(coverage(items, len(number)))
        assert lists["gini"].arms[arm].value.mean == pytest.approx(gini(np.bincount(items, minlength=len(number))))
        assert lists["gini"].arms[arm].value.n == rows.user_id.nunique()


def test_the_random_list_beside_them_is_what_the_random_arm_shows(lists):
    """`random_order` draws items uniformly, so its figures are those said to come at random, within their error."""
    for each in lists.values():
        found = each.arms["chance"]
        margin = 4 * (found.value.standard_error or 0.0) + 0.02 * abs(found.random)
        assert found.value.mean == pytest.approx(found.random, abs=margin), each.name


def test_the_first_arm_has_no_difference_and_the_others_have_the_difference_of_the_figures(lists):
    for each in lists.values():
        first, *others = each.arms.values()
        assert first.difference is None
        for other in others:
            gap = other.difference
            assert gap.low <= gap.difference <= gap.high
            assert gap.difference == pytest.approx(other.value.mean - first.value.mean, abs=1e-9)


def one_arm(rng, n_agents=240, n_items=150, shown=6):
    """Agents who are each shown some items, popular ones more often."""
    chance = 1 / np.arange(1, n_items + 1)
    items = rng.choice(n_items, size=(n_agents, shown), p=chance / chance.sum())
    parts = np.repeat(np.arange(n_agents) % PARTS, shown)
    counts = sp.csr_array((np.ones(items.size), (parts, items.ravel())), shape=(PARTS, n_items))
    return ArmItems("arm", n_agents, {"shown": counts})


@pytest.mark.parametrize(("statistic", "widest"), [(share_covered, 2.0), (gini, 1.3)])
def test_the_interval_is_as_wide_as_other_agents_would_make_it_or_wider(statistic, widest):
    """The standard error against the spread over 150 audiences: Efron and Stein have it no smaller on average."""
    rng = np.random.default_rng(3)
    found = [jackknife(one_arm(rng), statistic) for _ in range(150)]
    spread = np.std([whole for whole, _ in found])
    errors = [estimate(whole, without, 240).standard_error for whole, without in found]
    assert 0.85 * spread < np.mean(errors) < widest * spread
    centre = np.mean([whole for whole, _ in found])
    inside = [found.low <= centre <= found.high for found in (estimate(*each, 240) for each in found)]
    assert np.mean(inside) > 0.9


def test_one_agent_alone_has_a_figure_and_no_interval():
    counts = {"shown": sp.csr_array((np.ones(2), ([4, 4], [0, 2])), shape=(PARTS, 5))}
    found = estimate(*jackknife(ArmItems("arm", 1, counts), share_covered), 1)
    assert (found.mean, found.low) == (0.4, None)


def test_shares_of_groups_add_up_to_one_and_those_of_thirds_are_of_the_training_part(groupings):
    assert [group.name for group in groupings["popularity"].groups] == list(reversed(THIRDS))
    for grouping in groupings.values():
        assert sum(group.of_catalog for group in grouping.groups) == pytest.approx(1)
        assert sum(group.of_interactions for group in grouping.groups) == pytest.approx(1)
        for arm in ("popular", "chance", "item_knn"):
            for what in ("shown", "clicks", "purchases", "paid"):
                assert sum(group.arms[arm][what].share.mean for group in grouping.groups) == pytest.approx(1)
    head, *_ = groupings["popularity"].groups
    assert head.arms["popular"]["shown"].share.mean == 1.0, "the most popular items only"
    assert head.exposure_ratio("popular") == pytest.approx(1 / head.of_interactions)


def test_totals_of_groups_are_those_of_the_log(log, groupings):
    shown = log.impressions().groupby("arm").size()
    events = log.events()
    money = events[events.kind == "paid"].groupby("arm").value.sum()
    for arm in shown.index:
        groups = groupings["category"].groups
        assert sum(group.arms[arm]["shown"].total for group in groups) == pytest.approx(shown[arm])
        assert sum(group.arms[arm]["paid"].total for group in groups) == pytest.approx(money[arm])


@pytest.mark.parametrize(
    ("unknown", "absent"), [(("priced", "paid"), {"paid"}), (("known", "clicks", "purchases"), {"clicks", "purchases"})]
)
def test_a_group_of_which_nothing_is_known_has_no_share_and_no_difference(log, unknown, absent):
    """Nobody knows the prices of what was bought of it, or what was done with it; neither is zero."""
    genres = [item.genres for item in log.logged_items()]
    name = genres[0][0]
    keep = sp.diags_array(np.array([float(name not in each) for each in genres]))
    counted = read_item_counts(log)
    spoilt = [replace(arm, counts=arm.counts | {what: arm.counts[what] @ keep for what in unknown}) for arm in counted]
    (group,) = (each for each in measure_groups(log, spoilt)[0].groups if each.name == name)
    for arm in spoilt:
        assert arm.total("purchases").sum() > 0
        assert not absent & set(group.arms[arm.name])
        assert "shown" in group.arms[arm.name]
    # Known in other arms, and not in the first: a share, and nothing to compare it with.
    (group,) = (each for each in measure_groups(log, [spoilt[0], *counted[1:]])[0].groups if each.name == name)
    for what in absent:
        assert group.arms[counted[1].name][what].share.mean is not None
        assert group.arms[counted[1].name][what].difference.difference is None


def test_an_item_of_two_categories_counts_half_in_each(small_log):
    (category,) = (each for each in measure_groups(small_log) if each.name == "category")
    by_name = {group.name: group for group in category.groups}
    items = small_log.items().genres
    assert by_name["Long"].items == pytest.approx(sum(0.5 for genres in items if "Long" in genres))
    unknown = small_log.impressions().merge(small_log.items(), on="item_id")
    share = unknown.groupby("arm").genres.agg(lambda cells: np.mean([not genres for genres in cells]))
    assert category.unknown == pytest.approx(share.to_dict())


def test_an_earlier_log_says_why_popularity_is_not_known(small_log):
    (popularity,) = (each for each in measure_groups(small_log) if each.name == "popularity")
    assert not popularity.groups
    assert "background.json" in popularity.missing
    missing = {each.name: each.missing for each in measure_lists(small_log) if each.missing}
    assert set(missing) == {"mean_popularity", "novelty"}


def test_of_a_catalog_without_categories_items_are_alike_where_the_same_users_had_them(tmp_path):
    rng = np.random.default_rng(1)
    items = np.concatenate([rng.permutation(30)[:14] for _ in range(40)])
    had = pd.DataFrame({"user": np.repeat([f"u{n:02}" for n in range(40)], 14), "item": items, "timestamp": range(560)})
    columns = {"interactions": {"user": "user", "item": "item", "timestamp": "timestamp"}}
    experiment = gl.Experiment(
        dataset=gl.Tables(interactions=had, columns=columns), arms={"chance": "random_order"}, seed=3, held_out=False,
        site={"page_size": 8, "max_pages": 1}, metrics=["diversity", "exit_page"],
    )  # fmt: skip
    run = experiment.run(tmp_path / "run")
    known, catalog = experiment.training()
    users = known.matrix.toarray() / np.sqrt(np.maximum(known.matrix.sum(axis=0), 1))
    cosines = users.T @ users
    number = {item: place for place, item in enumerate(catalog.item_ids)}
    pages = run.impressions().groupby(["user_id", "session_id"]).item_id.agg(lambda ids: [number[item] for item in ids])
    exact = [1 - (cosines[np.ix_(page, page)].sum() - len(page)) / (len(page) * (len(page) - 1)) for page in pages]
    found = run.metrics().set_index("metric").loc["diversity"]
    assert found.agents == len(pages)
    assert found.value == pytest.approx(np.mean(exact), abs=1e-4)
    (category, _) = (rows.why_missing.iloc[0] for _, rows in run.item_groups().groupby("grouping"))
    assert category == "no item of this run has a category"


def test_small_groups_are_put_together(log, monkeypatch):
    monkeypatch.setattr(item_groups, "MOST_GROUPS", 2)
    (category,) = (each for each in measure_groups(log, read_item_counts(log)) if each.name == "category")
    assert [group.name for group in category.groups][2] == f"{OTHERS} (2)"
    assert sum(group.of_catalog for group in category.groups) == pytest.approx(1)


def test_providers_of_a_table_of_ones_own_get_their_exposure(tmp_path, blank_pictures):
    experiment = shop_experiment(arms={"popular": "popular", "chance": "random_order"}, simulation={"days": 1})
    _, catalog = experiment.training()
    table = pd.DataFrame({"id": catalog.item_ids, "seller": [f"s{place % 3}" for place in range(len(catalog))]})
    table.loc[0, "seller"] = ""
    table.to_csv(tmp_path / "sellers.csv", index=False)
    provider = {"name": "provider", "path": str(tmp_path / "sellers.csv"), "item": "id", "group": "seller"}
    asked = shop_experiment(
        arms={"popular": "popular", "chance": "random_order"}, simulation={"days": 1},
        groups={"items": [provider, "popularity"]},
    )  # fmt: skip
    assert config_hash(asked.config) == config_hash(experiment.config), "reports alone read it"
    run = asked.run(tmp_path / "run")
    (tmp_path / "sellers.csv").unlink()
    frame = gl.open_run(run.directory).item_groups()
    assert set(frame.grouping) == {"provider", "popularity"}
    shown = frame.query("grouping == 'provider' and what == 'shown' and arm == 'chance'").set_index("group")
    assert sorted(shown.index) == ["s0", "s1", "s2"]
    assert shown["items"].to_dict() == {"s0": 15.0, "s1": 16.0, "s2": 16.0}
    numbers = {item: table.seller[place] for place, item in enumerate(catalog.item_ids)}
    counted = run.impressions().query("arm == 'chance'").item_id.map(numbers)
    assert shown.share.to_dict() == pytest.approx(counted[counted != ""].value_counts(normalize=True).to_dict())
    page = (run.directory / "report.html").read_text()
    assert "Items by provider" in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,seller\ni1,a\ni1,b\n", "line 3: column 'id': item 'i1' has the seller 'b' here and 'a' above"),
        ("id,vendor\ni1,a\n", r"column 'seller' \(groups.items \(provider\).group\) is not in the header"),
        ("id,seller\nx9,a\n", "is an item of this data set, whose ids look like 'i1', 'i2'"),
        ("", "the file is empty"),
        ("id,seller\ni1,a\0\n", "a zero byte"),
        ("id,seller\ni1,a,b\n", "line 2: found 3 cells, expected 2"),
        (None, "a device or a pipe"),
    ],
)
def test_a_table_of_groups_that_does_not_fit_is_refused(tmp_path, content, said):
    os.mkfifo(tmp_path / "t.csv") if content is None else (tmp_path / "t.csv").write_text(content)
    table = {"name": "provider", "path": "t.csv", "item": "id", "group": "seller"}
    with pytest.raises(UserError, match=said):
        read_item_groups(GroupsConfig.model_validate({"items": [table]}), ("i1", "i2"), tmp_path)


@pytest.mark.parametrize("content", ["\ufeffid;seller\ni1 ;a\n i2;\n", "id,seller\n1,b\ni1,a\n", "id\tseller\ni1\ta\n"])
def test_a_table_of_groups_is_read_as_any_other_table(tmp_path, content):
    (tmp_path / "t.csv").write_text(content)
    table = {"name": "provider", "path": "t.csv", "item": "id", "group": "seller"}
    found = read_item_groups(GroupsConfig.model_validate({"items": [table]}), ("i1", "i2"), tmp_path)
    assert found == {"provider": ("a", None)}


def test_items_may_be_their_own_groups(tmp_path):
    (tmp_path / "t.csv").write_text("id\ni1\ni2\n")
    table = {"name": "each", "path": "t.csv", "item": "id", "group": "id"}
    found = read_item_groups(GroupsConfig.model_validate({"items": [table]}), ("i1", "i2"), tmp_path)
    assert found == {"each": ("i1", "i2")}


def test_the_door_gives_what_the_report_holds(shop_directory, lists):
    run = gl.open_run(shop_directory)
    frame = run.lists().set_index(["metric", "arm"])
    assert frame.loc[("coverage", "item_knn"), "value"] == pytest.approx(lists["coverage"].arms["item_knn"].value.mean)
    assert np.isnan(frame.loc[("gini", "popular"), "difference"])
    assert set(run.item_groups().what) == {"shown", "clicks", "purchases", "paid"}
    page = (shop_directory / "report.html").read_text()
    for said in ("What was shown", "Catalog coverage", "Gini of impressions", "at random", "Several objectives",
                 "What the money rests on"):  # fmt: skip
        assert said in page
    assert (shop_directory / "pareto.png").is_file()
    told = str(run.compare())
    assert "Objectives: revenue per session (primary, more is better, weight 1)" in " ".join(told.split())
    assert run.compare().as_dict()["objectives"]["unit"] == "units"
