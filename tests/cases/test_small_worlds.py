"""Worlds at their smallest, and experiments whose `check` has something to say before anything runs."""

from __future__ import annotations

import json

import pytest

FITTED = ("popular", "item_knn", "als", "ease", "bpr")
START = 1_700_000_000


@pytest.fixture
def experiment(tmp_path, monkeypatch, quick_report):
    """Writes an experiment with own data, given as (user, item, rating); the rest as named."""
    monkeypatch.chdir(tmp_path)

    def written(rows, items: int, *, arms=FITTED, rated: bool = True, scale=(1, 5, 1), mind="behavioural", **own):
        lines = [f"{user},i{item},{rating},{START + 60 * place}" for place, (user, item, rating) in enumerate(rows)]
        (tmp_path / "met.csv").write_text("\n".join(["user,item,rating,time", *lines]) + "\n")
        (tmp_path / "items.csv").write_text(
            "\n".join(["item,title", *(f"i{n},Thing {n}" for n in range(items))]) + "\n"
        )
        columns = {"user": "user", "item": "item", "timestamp": "time"} | ({"rating": "rating"} if rated else {})
        own |= {"scale": dict(zip(("low", "high", "step"), scale, strict=True))} if rated else {}
        content = {
            "name": "small", "seed": 7,
            "dataset": {"name": "own", "own": {
                "interactions": {"path": "met.csv", **columns},
                "items": {"path": "items.csv", "id": "item", "title": "title"}, **own}},
            "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 2}, "mind": mind,
            "arms": [{"name": name, "recommender": name} for name in arms],
        }  # fmt: skip
        (tmp_path / "small.yaml").write_text(json.dumps(content))
        return tmp_path / "small.yaml"

    return written


def crowd(people: int, items: int, each: int, rating=None):
    for person in range(people):
        for place in range(each):
            yield f"u{person}", (person + 3 * place) % items, rating or 1 + (person + place) % 5


WORLDS = {
    "without ratings": (list(crowd(6, 8, 4)), 8, {"rated": False}),
    "with one rating": (list(crowd(6, 8, 4, rating=5)), 8, {"arms": ("popular", "als", "oracle")}),
    "of one item": ([(f"u{person}", 0, 4) for person in range(6)], 1, {}),
    "of one person": (list(crowd(1, 8, 6)), 8, {}),
    "whose people know all items": (list(crowd(4, 5, 5)), 5, {}),
    "with a person of one row": ([*crowd(5, 8, 4), ("once", 2, 4)], 8, {}),
}


@pytest.mark.parametrize("world", WORLDS)
def test_a_world_ends_in_a_run_and_no_figure_is_made_up(experiment, command, tmp_path, world):
    rows, items, changes = WORLDS[world]
    status, said = command("run", experiment(rows, items, **changes), "--out", tmp_path / "run")
    assert status == 0, said
    assert "Warning" not in said
    summary = (tmp_path / "run" / "summary.json").read_text()
    assert "NaN" not in summary
    assert "Infinity" not in summary


def test_check_looks_at_a_world_in_which_nothing_is_left_to_show(experiment, command):
    rows, items, _ = WORLDS["of one item"]
    status, said = command("check", experiment(rows, items))
    assert status == 0, said
    assert "1 item, 6 training interactions" in said


def test_a_pilot_of_one_agent_does_not_say_that_no_number_is_needed(experiment, command):
    rows, items, _ = WORLDS["of one person"]
    status, said = command("power", experiment(rows, items, arms=("popular", "item_knn")))
    assert status == 0, said
    assert "how much agents differ, and so how many are needed, is not known" in " ".join(said.split())


def test_a_baseline_of_zero_has_no_share_that_can_be_found(experiment, command):
    world = experiment(crowd(20, 30, 4), 30, arms=("popular", "random_order"), mind={"kind": "behavioural"})
    content = json.loads(world.read_text())
    content["mind"]["random_click_rate"] = 1e-9
    world.write_text(json.dumps(content))
    status, said = command("power", world, "--json")
    assert status == 0, said
    shares = {need["baseline_mean"]: need["detectable_share"] for need in json.loads(said[said.index("{") :])["needs"]}
    assert shares[0.0] is None
    assert "NaN" not in said


def test_graded_answers_and_a_scale_of_eleven_values_are_refused_by_check(experiment, command):
    mind = {
        "kind": "language",
        "decision": "graded",
        "model": {"provider": "endpoint", "base_url": "http://127.0.0.1:9/v1"},
    }
    status, said = command("check", experiment(crowd(6, 8, 4), 8, scale=(0, 10, 1), mind=mind, arms=("popular",)))
    assert status == 2
    assert "can tell 10 values apart, found 11" in " ".join(said.split())


def test_check_names_the_code_of_a_file_before_it_runs(experiment, command, tmp_path):
    (tmp_path / "code_of_a_stranger.py").write_text(
        'print("the code runs")\nfrom groundlings.recommenders.popular import PopularRecommender as Mine\n'
    )
    named = experiment(crowd(6, 8, 4), 8, arms=("code_of_a_stranger:Mine",))
    content = json.loads(named.read_text())
    content["arms"][0]["name"] = "mine"
    named.write_text(json.dumps(content))
    status, said = command("check", named)
    assert status == 0, said
    note = said.index("this file names code: code_of_a_stranger:Mine")
    assert note < said.index("the code runs")


def test_two_rows_of_one_moment_are_refused_with_both_lines(experiment, command):
    rows = experiment([("u0", 0, 4), ("u0", 1, 4)], 3, arms=("popular",))
    table = rows.with_name("met.csv")
    table.write_text(table.read_text() + f"u0,i0,5,{START}\n")
    status, said = command("check", rows)
    assert status == 2
    assert "line 4" in said
    assert "line 2" in said
    assert "at the same moment" in " ".join(said.split())


def test_ratings_of_a_scale_of_tenths_are_exported_as_people_write_them(experiment, command, tmp_path):
    rows = [(user, item, round(0.1 * (1 + place % 9), 1)) for place, (user, item, _) in enumerate(crowd(6, 8, 4))]
    mind = {"kind": "scripted", "click": [0, 1], "stars": 0.3}
    run = tmp_path / "run"
    assert command("run", experiment(rows, 8, arms=("popular",), scale=(0, 1, 0.1), mind=mind), "--out", run)[0] == 0
    for form, file in (("recbole", "**/clicks.inter"), ("movielens", "**/ratings.csv")):
        status, said = command("export", run, "--format", form, "--out", tmp_path / form)
        assert status == 0, said
        ((table, *_),) = [list((tmp_path / form).glob(file))]
        written = table.read_text()
        assert "0.3" in written
        assert "0.30000000000000004" not in written
