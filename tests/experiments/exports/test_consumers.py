"""Each export is read back by those it is for, and says there what the log says."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3

import ir_measures
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ir_measures import RR, P, nDCG
from ranx import Qrels, Run, evaluate

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reading import open_log

JOINED = "FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id) JOIN items USING (item_id)"  # noqa: E501


def test_parquet_holds_the_log_and_its_nulls(export, ask):
    out = export("parquet").directory
    table = pq.read_table(out / "impressions")
    assert table.schema.metadata[b"synthetic"] == b"true"
    assert json.loads(table.schema.metadata[b"groundlings"])["seed"] == 3
    frame = table.to_pandas()
    assert frame.synthetic.all()
    columns = "user_id, item_id, clicked, rating, pscore, score, timestamp"
    logged = ask(
        "SELECT arms.name, source_user_id, source_item_id, clicked, rating, pscore, score, sim_time "
        f"{JOINED} ORDER BY impression_id"
    )
    names = ["arm", *columns.split(", ")]
    names = [*names[:-2], "score", "timestamp"]
    frame = frame.sort_values("impression_id")[names].astype(object)
    found = frame.where(frame.notna(), None)
    assert [tuple(row) for row in found.itertuples(index=False)] == logged
    assert found.clicked.isna().sum() > 0
    for name in ("sessions", "events", "calls"):
        assert pq.read_table(out / name).num_rows == ask(f"SELECT count(*) FROM {name}")[0][0]


LANGUAGE = {
    "name": "inner",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 6}},
    "simulation": {"days": 2},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {
        "kind": "language",
        "rotate_slots": True,
        "reflection": {"every": 2},
        "interview": {"questions": ["What was missing?"]},
        "model": {"provider": "scripted"},
    },
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "by chance", "recommender": "random_order"}],
}


@pytest.fixture(scope="module")
def language_run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "groundlings.experiments.analysis.report.write_report", lambda *_: None
        )  # drawing takes longer than all the rest
        config = ExperimentConfig.model_validate(LANGUAGE)
        return run_experiment(config, tmp_path_factory.mktemp("language") / "inner").directory


@pytest.mark.parametrize(
    ("table", "columns", "key"),
    [
        ("moods", "session_id, page, satisfaction, tiredness, boredom, p_next, u_next", "session_id, page"),
        ("memories", "session_id, place, kind, text, importance", "session_id, place"),
        ("interviews", "session_id, place, question, answer, call_id", "session_id, place"),
        ("calls", "call_id, session_id, page, reply, first_token", "call_id"),
        ("impressions", "impression_id, position, display_position", "impression_id"),
    ],
)
def test_parquet_carries_what_language_agents_saw_felt_kept_and_said(
    export, ask, language_run, monkeypatch, table, columns, key
):
    monkeypatch.setattr(open_log, "CHUNK_ROWS", 3)
    out = export("parquet", language_run).directory
    for arm, folder in (("popular", "popular"), ("by chance", "by%20chance")):
        read = pq.read_table(out / table / f"arm={folder}", partitioning=None)
        assert read.schema.metadata[b"synthetic"] == b"true"
        wanted, order = ([f"{table}.{name}" for name in names.split(", ")] for names in (columns, key))
        logged = ask(
            f"SELECT {', '.join(wanted)} FROM {table} JOIN sessions USING (session_id) JOIN arms USING (arm_id) "
            f"WHERE arms.name = '{arm}' ORDER BY {', '.join(order)}",
            language_run,
        )
        assert logged
        assert [tuple(row.values()) for row in read.select(columns.split(", ")).to_pylist()] == logged


def test_rotated_slots_are_told_from_their_places(export, ask, language_run):
    out = export("open_bandit", language_run).directory
    feedback = np.load(out / "popular/feedback.npz")
    logged = ask(
        "SELECT impressions.position, display_position FROM impressions JOIN sessions USING (session_id) "
        "WHERE arm_id = 1 AND clicked IS NOT NULL ORDER BY impression_id",
        language_run,
    )
    assert list(zip(feedback["position"], feedback["display_position"], strict=True)) == logged
    assert (feedback["position"] != feedback["display_position"]).any()


def test_parquet_carries_the_calls_of_language_minds(export, ask, small_run):
    calls = pq.read_table(export("parquet", small_run).directory / "calls").to_pandas()
    assert sorted(calls.reply) == sorted(reply for (reply,) in ask("SELECT reply FROM calls", small_run))
    assert set(calls.arm) == {"chance", "good & <new>", "again", "best"}


def test_lenskit_columns_are_the_opened_items(export, ask):
    out = export("lenskit").directory
    frame = pd.read_parquet(out / "explored/interactions.parquet")
    logged = ask(
        f"SELECT source_user_id, source_item_id, rating, sim_time {JOINED} WHERE clicked AND arms.name = 'explored' "
        "ORDER BY impression_id"
    )
    assert [
        tuple(row) for row in frame[["user_id", "item_id", "rating", "timestamp"]].itertuples(index=False)
    ] == logged
    assert pq.read_schema(out / "explored/interactions.parquet").metadata[b"synthetic"] == b"true"


def test_movielens_has_exactly_its_columns_and_the_ratings(export, ask):
    out = export("movielens").directory
    assert (out / "popular/ratings.csv").read_text().splitlines()[0] == "userId,movieId,rating,timestamp"
    ratings = pd.read_csv(out / "popular/ratings.csv")
    people = pd.read_csv(out / "user_numbers.csv").set_index("userId").source_user_id
    items = pd.read_csv(out / "item_numbers.csv").set_index("movieId").source_item_id
    found = list(zip(people[ratings.userId], items[ratings.movieId], ratings.rating, ratings.timestamp, strict=True))
    assert found == ask(
        f"SELECT source_user_id, source_item_id, rating, sim_time {JOINED} "
        "WHERE rating IS NOT NULL AND arms.name = 'popular' ORDER BY impression_id"
    )
    movies = pd.read_csv(out / "popular/movies.csv")
    assert movies.movieId.is_unique
    assert set(ratings.movieId) <= set(movies.movieId)


def atomic_file(path):
    """RecBole's documented format: tabs, `name:type` in the first line, no quoting; token, float and sequences."""
    read = {"token": str, "float": lambda cell: float(cell) if cell else None,
            "token_seq": str.split, "float_seq": lambda cell: [float(part) for part in cell.split()]}  # fmt: skip
    header, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    columns = [column.split(":") for column in header.split("\t")]
    rows = [line.split("\t") for line in lines]
    assert all(len(row) == len(columns) for row in rows)
    return [{name: read[kind](cell) for (name, kind), cell in zip(columns, row, strict=True)} for row in rows]


def test_recbole_files_follow_their_documentation(export, ask):
    out = export("recbole").directory
    impressions = atomic_file(out / "popular/impressions/impressions.inter")
    known = f"{JOINED} WHERE clicked IS NOT NULL AND arms.name = 'popular' ORDER BY impression_id"
    assert [(row["user_id"], row["item_id"], row["label"], row["rating"]) for row in impressions] == ask(
        f"SELECT source_user_id, source_item_id, clicked, rating {known}"
    )
    clicks = atomic_file(out / "popular/clicks/clicks.inter")
    kept = ("user_id", "item_id", "rating", "timestamp", "session_id", "rank", "synthetic")
    assert clicks == [{key: row[key] for key in kept} for row in impressions if row["label"]]
    assert {row["synthetic"] for row in impressions} == {1.0}
    people, items = (atomic_file(out / f"popular/clicks/clicks.{kind}") for kind in ("user", "item"))
    assert {row["user_id"] for row in impressions} <= {row["user_id"] for row in people}
    assert {row["item_id"] for row in impressions} <= {row["item_id"] for row in items}
    assert {row["synthetic"] for row in [*people, *items]} == {1.0}


def test_recbole_reads_ids_titles_and_attributes_of_any_shape_as_they_are(run, tmp_path):
    """RecBole reads with pandas, tabs between cells; a cell must begin with no quotation mark that pandas takes off."""
    shutil.copytree(run, tmp_path / "changed")
    with sqlite3.connect(tmp_path / "changed/log.db") as connection:
        connection.execute("UPDATE items SET source_item_id = '\"' || item_id, title = '\"12' || item_id")
        demographics = json.dumps({"a:b": "x", 'a"b': '"y', "user_id": "z  z", "a b": "1", "a  b": "2"})
        connection.execute("UPDATE agents SET persona = json_set(persona, '$.demographics', json(?))", (demographics,))
    exported = export_run(tmp_path / "changed", "recbole", tmp_path / "exported")
    people, items, clicks = (
        pd.read_csv(exported.directory / f"popular/clicks/clicks.{kind}", delimiter="\t", dtype=str)
        for kind in ("user", "item", "inter")
    )
    assert [*people.columns] == [
        "user_id:token", "a b:token", "a b_2:token", "a_b:token", "a_b_2:token", "user_id_2:token", "synthetic:float",
    ]  # fmt: skip
    assert people.iloc[0, 1:6].tolist() == ["2", "1", '"y', "x", "z z"]
    assert items["item_id:token"].str.fullmatch('"[0-9]+').all()
    assert items["title:token_seq"].tolist() == [f'"12{each[1:]}' for each in items["item_id:token"]]
    assert set(clicks["item_id:token"]) <= set(items["item_id:token"])
    said = " ".join(exported.written.notes)
    assert "The attribute 'a:b' has the column a_b" in said
    assert "12 people have an attribute that held" in said


def test_open_bandit_feedback_gives_the_estimates_of_the_log(export, ask):
    out = export("open_bandit").directory
    feedback = np.load(out / "explored/feedback.npz", allow_pickle=False)
    assert bool(feedback["synthetic"])
    assert json.loads(str(feedback["provenance"]))["arm"] == "explored"
    known = f"{JOINED} WHERE clicked IS NOT NULL AND arms.name = 'explored' ORDER BY impression_id"
    logged = ask(f"SELECT source_item_id, impressions.position, clicked, pscore, source_user_id {known}")
    assert int(feedback["n_rounds"]) == len(logged)
    found = zip(
        feedback["item_ids"][feedback["action"]], feedback["position"], feedback["reward"], feedback["pscore"],
        feedback["user_ids"][feedback["user"]], strict=True,
    )  # fmt: skip
    assert [tuple(row) for row in found] == logged
    weights = feedback["reward"] / feedback["pscore"]
    assert np.mean(weights) == pytest.approx(sum(row[2] / row[3] for row in logged) / len(logged))
    assert 0 < feedback["pscore"].min() < feedback["pscore"].max() <= 1
    assert feedback["context"].shape == (len(logged), len(feedback["context_columns"]))
    assert feedback["action_context"].shape[0] == int(feedback["n_actions"]) == len(feedback["item_ids"])


def test_trec_files_score_alike_in_ranx_in_trec_eval_and_by_hand(export, ask):
    out = export("trec").directory
    qrels, run = out / "explored/qrels.txt", out / "explored/run.txt"
    by_ranx = evaluate(
        Qrels.from_file(str(qrels), kind="trec"), Run.from_file(str(run), kind="trec"), ["mrr", "precision@3", "ndcg@8"]
    )
    by_trec = ir_measures.calc_aggregate(
        [RR, P @ 3, nDCG @ 8], list(ir_measures.read_trec_qrels(str(qrels))), list(ir_measures.read_trec_run(str(run)))
    )
    sessions: dict[int, list[tuple[int, float]]] = {}
    for session, clicked, rating in ask(
        f"SELECT session_id, clicked, rating {JOINED} WHERE clicked IS NOT NULL AND arms.name = 'explored' "
        "ORDER BY impression_id"
    ):
        sessions.setdefault(session, []).append((clicked, 2.0 if (rating or 0) >= 4 else float(clicked)))
    by_hand = np.mean([_figures(slots) for slots in sessions.values()], axis=0)
    assert [by_ranx["mrr"], by_ranx["precision@3"], by_ranx["ndcg@8"]] == pytest.approx(by_hand)
    assert [by_trec[RR], by_trec[P @ 3], by_trec[nDCG @ 8]] == pytest.approx(by_hand)


def _figures(slots):
    clicked, gains = np.array(slots).T
    discounts = 1 / np.log2(np.arange(len(gains)) + 2)
    ideal = np.sort(gains)[::-1]
    ndcg = (gains * discounts)[:8].sum() / (ideal * discounts)[:8].sum() if gains.any() else 0.0
    first = 1 / (np.flatnonzero(clicked)[0] + 1) if clicked.any() else 0.0
    return first, clicked[:3].sum() / 3, ndcg


def test_trec_ids_cannot_be_taken_for_real_people(export):
    lines = [line.split() for line in (export("trec").directory / "popular/run.txt").read_text().splitlines()]
    assert all(line[0].startswith("sim-") and line[5].startswith("synthetic-") for line in lines)


def test_mind_lines_are_the_known_pages_with_the_clicks_before_them(export, ask):
    out = export("mind").directory
    with (out / "popular/behaviors.tsv").open(newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(len(line) == 5 for line in lines)
    shown = [
        (user.removeprefix("sim-"), *mark.rsplit("-", 1)) for _, user, _, _, marks in lines for mark in marks.split()
    ]
    assert [(user, item, int(label)) for user, item, label in shown] == ask(
        f"SELECT source_user_id, source_item_id, clicked {JOINED} "
        "WHERE clicked IS NOT NULL AND arms.name = 'popular' ORDER BY impression_id"
    )
    opened: dict[str, list[str]] = {}
    for _, user, _, history, marks in lines:
        assert history.split() == opened.setdefault(user, [])
        opened[user] += [mark.rsplit("-", 1)[0] for mark in marks.split() if mark.endswith("-1")]
    assert any(opened.values())
    with (out / "popular/news.tsv").open(newline="") as file:
        news = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(len(line) == 8 for line in news)
    assert {item for _, item, _ in shown} <= {line[0] for line in news}
