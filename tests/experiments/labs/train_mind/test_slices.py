"""Slices: what is known of people is cut, new items are met by nobody before, and rivals are what they are called."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.content import measure_content
from groundlings.environments.errors import ConfigError
from groundlings.experiments.labs.train_mind.config import RECORDS, SlicesConfig
from groundlings.experiments.labs.train_mind.evaluation import evaluate_mind, find_model, learned_about_new
from groundlings.experiments.labs.train_mind.examples import questions_of_training
from groundlings.experiments.labs.train_mind.rivals import CONTENT_KNN, LIKENESS, NEIGHBOURS, Rivals
from groundlings.experiments.labs.train_mind.scenes import draw_material, new_items, without
from groundlings.experiments.labs.train_mind.scoring import groups_of
from groundlings.experiments.labs.train_mind.slices import NEW_ITEMS, draw_slices
from groundlings.recommenders.content_knn import neighbour_shares


@pytest.fixture(scope="module")
def sliced(ground):
    """The toy world with slices."""
    slices = SlicesConfig(short_histories=(1, 3), new_items=0.2, people=5)
    return replace(ground, config=ground.config.model_copy(update={"slices": slices}))


@pytest.fixture(scope="module")
def cold(sliced):
    return draw_material(sliced, new_items(sliced))


@pytest.fixture(scope="module")
def slices(sliced, cold):
    return draw_slices(sliced, cold)


def known(scenes, row):
    own = scenes.histories.users == row
    return list(zip(scenes.histories.items[own], scenes.histories.timestamps[own], strict=True))


@pytest.mark.parametrize("latest", [1, 3])
def test_a_short_history_is_the_latest_rows_of_the_same_scene(cold, slices, latest):
    short = slices[f"last {latest} interaction{'s' if latest > 1 else ''}"]
    for name, scenes in groups_of(short).items():
        whole = groups_of(cold)[name]
        assert 0 < len(np.unique(scenes.users)) <= 5
        rows = np.flatnonzero(np.isin(whole.users, scenes.users))
        assert np.array_equal(whole.lists.items[rows], scenes.lists.items)
        assert np.array_equal(whole.lists.positive[rows], scenes.lists.positive)
        for row, of_whole in enumerate(rows):
            assert known(scenes, row) == known(whole, of_whole)[-latest:]


def test_nobody_has_met_a_new_item_before_and_nothing_is_learned_of_it(sliced, cold, slices):
    new = new_items(sliced)
    assert len(new) == 16
    assert not np.isin(cold.learned.lists.items, new).any()
    assert not np.isin(cold.learned.histories.items, new).any()
    material, history = slices[NEW_ITEMS], sliced.dataset.history
    assert not np.isin(material.groups.statistics.items, new).any()
    for scenes in groups_of(material).values():
        assert len(scenes) > 1
        assert not np.isin(scenes.histories.items, new).any()
        assert not np.isin(material.groups.statistics.users, scenes.users).any()
        lists = scenes.lists
        assert set(lists.items[lists.listed]) <= set(new)
        for row, user in enumerate(scenes.users):
            met = history.items[history.users == user]
            listed = lists.items[row][lists.listed[row]]
            assert set(listed) & set(met) == set(lists.items[row][lists.positive[row]])


def test_training_prompts_count_no_new_item_and_those_of_the_main_table_count_all(sliced, cold):
    questions, statistics = questions_of_training(sliced, cold), cold.groups.statistics
    told_apart = set()
    for name, rows in (("learned", without(statistics, new_items(sliced))), ("test five", statistics)):
        counts = rows.item_counts
        item = int(counts.argmax())
        percent = int((counts < counts[item]).sum()) * 100 // len(counts)
        assert f"better known than {percent} %" in questions[name].told(0, item)
        told_apart.add(questions[name].told(0, int(np.argsort(counts)[len(counts) // 2])))
    assert len(told_apart) == 2


def test_without_new_items_the_scenes_are_those_that_there_were(material, cold):
    assert np.array_equal(material.groups.test.lists.items, cold.groups.test.lists.items)
    assert np.array_equal(material.test_lists.lists.items, cold.test_lists.lists.items)


def test_content_rivals_are_their_formulas(sliced, slices):
    material, catalog = slices[NEW_ITEMS], sliced.dataset.catalog
    groups, statistics = groups_of(material), material.groups.statistics
    found = Rivals(statistics, catalog).score(groups, new=True)
    scenes, content = groups["test five"], measure_content(catalog)
    met = np.array([item for item, _ in known(scenes, 0)])
    five = scenes.lists.items[0].astype(np.int64)
    assert found[LIKENESS]["test five"][0] == pytest.approx(content.similarity(five, met).sum(axis=1), rel=1e-5)
    takers = statistics.matrix.toarray().T
    unit = takers / np.maximum(np.linalg.norm(takers, axis=1, keepdims=True), 1)
    old = np.flatnonzero(statistics.item_counts)
    expected = neighbour_shares(content, old, five, NEIGHBOURS).T @ (unit[old] @ unit[met].T).sum(axis=1)
    assert found[CONTENT_KNN]["test five"][0] == pytest.approx(expected)
    assert CONTENT_KNN not in Rivals(statistics, catalog).score(groups, new=False)


def test_too_few_new_items_are_refused(ground):
    config = ground.config.model_copy(update={"slices": SlicesConfig(new_items=0.02)})
    with pytest.raises(ConfigError, match=r"slices\.new_items"):
        new_items(replace(ground, config=config))


def record_of(ground, **changes):
    config = ground.config.model_copy(update=changes)
    about = {
        "name": "earlier", "seed": config.seed, "files": {"model": "model"}, "dataset": "toy",
        "dataset_hash": ground.dataset.fingerprint, "config": json.loads(config.model_dump_json()),
    }  # fmt: skip
    return {"about": about}


def test_what_the_training_decided_of_new_items_is_counted(sliced):
    assert learned_about_new(sliced, record_of(sliced)) == {"items": 16, "decided": 0}
    careless = learned_about_new(sliced, record_of(sliced, slices=SlicesConfig()))
    assert careless["decided"] > 0
    assert learned_about_new(sliced, None) == {"items": 16, "decided": None}


def test_whoever_may_have_been_learned_from_is_not_asked_about(ground, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").touch()
    other = ground.config.split.model_copy(update={"salt": "b"})
    (tmp_path / RECORDS).write_text(json.dumps(record_of(ground, split=other)))
    with pytest.raises(ConfigError, match=r"split\.salt: found 'a'.*trained with 'b'"):
        evaluate_mind(ground.config, tmp_path)


def test_no_model_is_no_model(tmp_path):
    with pytest.raises(ConfigError, match="found no model"):
        find_model(tmp_path)
