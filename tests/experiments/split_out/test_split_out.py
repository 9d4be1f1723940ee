"""The training part goes out with the data's own ids, and nothing of the held-out part goes with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.experiments.cli.data import split_data
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.split_out.writing import SplitFiles, write_split

USERS, ITEMS = 10, 14
TIMES = {
    "seconds": lambda n: 1_700_000_000 + n,
    "milliseconds": lambda n: f"2024-03-01T09:30:{n:02d}.{7 * n:03d}",
    "before 1970": lambda n: f"{-3 + n // 2}.{25 + 50 * (n % 2)}",
    "none": None,
}


class Shop:
    """Tables of one's own, and an experiment on them whose rankings nobody has made yet."""

    def __init__(self, folder: Path, times: str = "seconds") -> None:
        self.folder = folder
        rows = [(f"0{user}", f"=i{(3 * user + n) % ITEMS}", n % 5 + 1, n) for user in range(USERS) for n in range(8)]
        frame = pd.DataFrame(rows, columns=["who", "what", "stars", "when"])
        moment = TIMES[times]
        columns = {"path": "met.csv", "user": "who", "item": "what", "rating": "stars", "timestamp": "when"}
        if moment is None:
            columns.pop("timestamp")
        else:
            frame["when"] = [moment(n) for n in frame["when"]]
        frame.to_csv(folder / "met.csv", index=False)
        items = pd.DataFrame(
            {"id": [f"=i{n}" for n in range(ITEMS)], "name": [f'Thing "{n}", new' for n in range(ITEMS)]}
        )
        items.to_csv(folder / "items.csv", index=False)
        self.content = {
            "name": "shop",
            "seed": 3,
            "dataset": {"name": "own", "own": {"interactions": columns, "items": _ITEMS}},
            "split": {"kind": "random" if moment is None else "per_user_temporal"},
            "mind": "scripted",
            "arms": [{"name": "mine", "recommender": "external", "options": {"path": "rankings.csv"}}],
        }

    def config(self, **changes) -> ExperimentConfig:
        path = self.folder / "shop.yaml"
        path.write_text(yaml.safe_dump(self.content | changes))
        return load_config(path)

    def split(self, name: str = "out", form: str = "csv", *, held_out: bool = False, **changes) -> SplitFiles:
        return write_split(self.config(**changes), self.folder / name, form, held_out=held_out)


_ITEMS = {"path": "items.csv", "id": "id", "title": "name"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def read(done: SplitFiles, name: str) -> pd.DataFrame:
    (path,) = done.directory.glob(f"{name}.*")
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


def triples(dataset: Dataset, rows) -> list[tuple]:
    """Who, what, stars and the moment in nanoseconds, of every row in its order."""
    ticks = rows.timestamps.astype(object) * (10**9 // rows.ticks_per_second)
    who, what = dataset.people.user_ids, dataset.catalog.item_ids
    return [(who[u], what[i], r, t) for u, i, r, t in zip(rows.users, rows.items, rows.ratings, ticks, strict=True)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("times", TIMES)
def test_the_files_are_the_training_part_and_read_back_as_such(tmp_path, times, form):
    shop = Shop(tmp_path, times)
    config = shop.config()
    dataset = load_dataset(config.dataset, base=tmp_path)
    split = config.split.of(dataset)
    done = shop.split(form=form)
    columns = {"path": f"out/train.{form}", "user": "user_id", "item": "item_id", "rating": "rating"}
    if times != "none":
        columns |= {"timestamp": "timestamp", "time_unit": "s" if form == "csv" else None}
    own = {"interactions": columns, "items": {"path": f"out/items.{form}", "id": "item_id", "title": "title"}}
    again = load_dataset(shop.config(dataset={"name": "own", "own": own}).dataset, base=tmp_path)
    came_back, went_out = triples(again, again.interactions), triples(dataset, split.train)
    if times == "none":  # the order of a user's rows says nothing, and is drawn anew
        came_back, went_out = sorted(came_back), sorted(went_out)
    assert came_back == went_out
    assert again.catalog.titles == dataset.catalog.titles
    held = set(triples(dataset, split.test))
    assert held.isdisjoint(triples(again, again.interactions))
    assert "held_out" not in "".join(path.name for path in done.directory.iterdir())


def test_who_is_served_and_what_is_not_shown_to_them_are_written(shop):
    done = shop.split(population={"size": 4})
    plan = build_plan(shop.config(population={"size": 4}, arms=[{"name": "p", "recommender": "popular"}]))
    users = [plan.dataset.people.user_ids[user] for user in plan.population.users]
    assert read(done, "users")["user_id"].tolist() == users
    train = read(done, "train")
    met = {(row.user_id, row.item_id) for row in train.itertuples() if row.user_id in users}
    assert {(row.user_id, row.item_id) for row in read(done, "excluded").itertuples()} == met
    assert read(done, "items")["item_id"].tolist() == list(plan.dataset.catalog.item_ids)


def test_the_held_out_part_is_written_only_where_it_is_asked_for(shop):
    assert "held_out.csv" not in shop.split().rows
    done = shop.split("second", held_out=True)
    assert done.rows["held_out.csv"] + done.rows["train.csv"] == USERS * 8
    assert any("seen the future" in note for note in done.notes)


@pytest.mark.parametrize(
    "split", [{"kind": "global_temporal"}, {"kind": "random", "salt": "a"}, {"kind": "random", "salt": "b"}]
)
def test_the_datasheet_holds_what_was_done_and_the_hashes_of_the_files(shop, split):
    done = shop.split(split=split)
    facts = json.loads((done.directory / "datasheet.json").read_text())
    for name, about in facts["files"].items():
        content = (done.directory / name).read_bytes()
        assert about["sha256"] == hashlib.sha256(content).hexdigest()
        assert about["rows"] == done.rows[name]
    assert facts["split"]["kind"] == split["kind"]
    assert facts["split"]["salt"] == split.get("salt", "groundlings")
    assert facts["split"]["training_interactions"] + facts["split"]["held_out_interactions"] == USERS * 8
    assert facts["dataset"]["sha256"] == load_dataset(shop.config().dataset, base=shop.folder).fingerprint
    assert any("begin like a formula" in note for note in facts["notes"])
    assert any("not by time" in note for note in facts["notes"]) == (split["kind"] == "random")


def test_the_same_split_gives_the_same_bytes_and_another_salt_another_part(shop):
    first, again = (shop.split(name, split={"kind": "random"}) for name in ("a", "b"))
    other = shop.split("c", split={"kind": "random", "salt": "other"})
    hashes = [json.loads((done.directory / "datasheet.json").read_text())["files"] for done in (first, again, other)]
    assert hashes[0] == hashes[1]
    assert hashes[0]["train.csv"] != hashes[2]["train.csv"]


def test_nothing_is_overwritten_or_left_behind(shop):
    shop.split()
    with pytest.raises(RunDirectoryError, match="there is something already"):
        shop.split()
    with pytest.raises(DataError, match="no such file"):
        shop.split(
            "new", dataset={"name": "own", "own": {**shop.content["dataset"]["own"], "items": {**_ITEMS, "path": "x"}}}
        )
    assert not (shop.folder / "new").exists()


def test_rankings_made_from_the_files_come_back_and_check_says_what_they_lack(shop):
    done = shop.split()
    users, items = read(done, "users")["user_id"], read(done, "items")["item_id"]
    popular = read(done, "train")["item_id"].value_counts().reindex(items, fill_value=0)
    rankings = users.to_frame().merge(items, how="cross")
    rankings["score"] = popular.loc[rankings["item_id"]].to_numpy()
    rankings.to_csv(shop.folder / "rankings.csv", index=False)
    build_plan(shop.config())
    rankings[rankings["user_id"] > "02"].to_csv(shop.folder / "rankings.csv", index=False)
    with pytest.raises(DataError, match=r"no ranking for 3 of 10 users who may come: '00', '01', '02'"):
        build_plan(shop.config())
    unknown = rankings.assign(item_id=np.where(rankings["user_id"] > "07", "new", rankings["item_id"]))
    unknown.drop_duplicates(["user_id", "item_id"]).to_csv(shop.folder / "rankings.csv", index=False)
    with pytest.raises(DataError, match=r"item 'new' is not in the data set \(2 rows name 1 item that is not"):
        build_plan(shop.config())


def test_the_command_says_what_it_wrote(shop, capsys):
    shop.config()
    split_data(shop.folder / "shop.yaml", shop.folder / "cli", form="parquet", held_out=False, changes=None, seed=None)
    said = capsys.readouterr().out
    assert "train.parquet" in said
    assert "DATASHEET.md" in said
    with pytest.raises(ConfigError, match="expected csv or parquet"):
        split_data(shop.folder / "shop.yaml", shop.folder / "x", form="xlsx")


def test_what_may_be_shown_again_is_not_excluded(shop):
    dataset = load_dataset(shop.config().dataset, base=shop.folder)
    assert not len(read(shop.split(name="any", site={"repeats": "allowed"}), "excluded"))
    never = read(shop.split(name="never"), "excluded")
    # All rows lie within seconds of each other, so a rule of one day excludes them on the first day.
    done = shop.split(name="later", site={"repeats": {"after_days": 400}})
    assert read(done, "excluded").equals(never)
    assert any("they come back on a later day" in note for note in done.notes)
    assert len(read(shop.split(name="soon", site={"repeats": {"after_days": 1}}), "excluded")) < len(never) or (
        dataset.interactions.timestamps.max() - dataset.interactions.timestamps.min() < 86_400
    )
