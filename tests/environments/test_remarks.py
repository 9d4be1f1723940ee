"""Cells that exports write where nothing is known are taken as they stand, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.config import OwnData, ToyOptions
from groundlings.environments.datasets.exposures import ExposuresConfig, load_exposures
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.ties_table import read_ties
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import RunWarning

TABLES = {
    "met.csv": ["who,what,stars,when", "nan,a,1,1700000000", "c1,a,2,1700000001", "nan,b,3,1700000002"],
    "things.csv": ["what,name,kind,blurb,maker", "a,None,NULL,N/A,NaN", "b,Boots,x,Warm,Acme"],
    "people.csv": ["who,town", r"nan,\N", "c1,Leeds"],
    "offers.csv": ["what,price", "a,3", "b,4"],
}
OWN = {
    "interactions": {"path": "met.csv", "user": "who", "item": "what", "rating": "stars", "timestamp": "when"},
    "items": {
        "path": "things.csv",
        "id": "what",
        "title": "name",
        "genres": "kind",
        "text": "blurb",
        "features": ["maker"],
    },
    "users": {"path": "people.csv", "id": "who", "attributes": ["town"]},
    "offers": {"path": "offers.csv", "item": "what", "price": "price", "currency": "EUR"},
}


def load(folder: Path, old: str = "", new: str = "", **changes: list[str]) -> Dataset:
    """The tables with some changed, and in all of them a cell in another one's place."""
    for name, lines in (TABLES | {f"{name}.csv": lines for name, lines in changes.items()}).items():
        text = "\n".join(",".join(new if cell == old else cell for cell in line.split(",")) for line in lines)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    return load_own(OwnData.model_validate(OWN), folder)


def test_words_for_nothing_are_counted_in_every_column_and_taken_as_they_stand(tmp_path):
    dataset = load(tmp_path)
    assert dataset.people.user_ids == ("nan", "c1")
    assert dataset.catalog.titles == ("None", "Boots")
    for key, cell, rows in (
        ("interactions.user", "nan", "2 rows hold"),
        ("items.title", "None", "1 row holds"),
        ("items.genres", "NULL", "1 row holds"),
        ("items.text", "N/A", "1 row holds"),
        ("items.features", "NaN", "1 row holds"),
        ("users.id", "nan", "1 row holds"),
        ("users.attributes", r"\N", "1 row holds"),
    ):
        (told,) = (note for note in dataset.notes if f"(own.{key}) holds {cell!r}" in note)
        assert "line 2: column" in told
        assert f"({rows} such a word: {cell!r})" in told
        assert "make these cells empty" in told
        assert ("on_problem: drop" in told) == (key.split(".")[1] in ("user", "id", "title"))


def test_an_item_of_which_only_its_id_is_a_word_for_nothing_is_said_wherever_it_stands(tmp_path):
    notes = load(tmp_path, "a", "NULL").notes
    for key in ("interactions.item", "items.id", "offers.item"):
        assert any(f"(own.{key}) holds 'NULL'" in note for note in notes), key


def test_healthy_tables_are_not_remarked_on(tmp_path):
    things = ["what,name,kind,blurb,maker", "a,Nan the Nanny,x,Nonesuch,", "b,Boots,,Warm,Acme"]
    assert not load(tmp_path, "nan", "c0", things=things, people=["who,town", "c0,Naples", "c1,Leeds"]).notes


@pytest.mark.parametrize(
    ("odd", "usual"),
    [(cell, "1700000001 1700000002") for cell in ("0", "-1", "0.0", "-2208988800")]
    + [
        (cell, "2024-03-01 2024-03-02T10:00:00")
        for cell in ("1970-01-01", "1970-01-01T01:00:00+01:00", "1900-01-01", "0001-01-01T00:00:00", "9999-12-31")
    ]
    + [("19000101", "20240301 20240302"), ("99991231", "20240301 20240302")],
)
def test_moments_that_stand_for_an_unknown_one_are_counted_and_taken_as_they_stand(tmp_path, odd, usual):
    one, two = usual.split()
    met = ["who,what,stars,when", f"nan,a,1,{one}", f"c1,a,2,{two}", f"c1,b,3,{odd}"]
    dataset = load(tmp_path, met=met)
    assert len(dataset.interactions) == 3
    (told,) = (note for note in dataset.notes if "(own.interactions.timestamp) holds" in note)
    assert f"met.csv, line 4: column 'when' (own.interactions.timestamp) holds '{odd}', which is " in told
    assert "(1 row holds such a moment" in told


@pytest.mark.parametrize(
    "moments", ["0 1 86400", "1900-01-01 1900-01-01 2001-05-01", "1970-03-01 2001-05-01 2001-05-02"]
)
def test_data_with_a_clock_of_their_own_are_not_remarked_on(tmp_path, moments):
    met = ["who,what,stars,when"]
    met += [f"{row},{moment}" for row, moment in zip(("nan,a,1", "c1,a,2", "c1,b,3"), moments.split(), strict=True)]
    assert not any("own.interactions.timestamp" in note for note in load(tmp_path, met=met).notes)


@pytest.mark.parametrize(("cell", "would"), [("1", "dislike"), ("5.0", "like")])
def test_ratings_that_are_all_the_same_are_said(tmp_path, cell, would):
    met = [TABLES["met.csv"][0], *(f"{who},{cell},{when}" for who, when in (("nan,a", 1), ("c1,a", 2), ("c1,b", 3)))]
    (told,) = (note for note in load(tmp_path, met=met).notes if "own.interactions.rating" in note)
    assert told.startswith(f"all 3 ratings (own.interactions.rating) are {float(cell):g} on a scale of 1 to 5")
    assert f"everybody would {would}" in told
    assert "leave `rating` out" in told


def test_logs_of_what_was_shown_and_ties_are_warned_of(tmp_path):
    toy = make_toy(ToyOptions(n_users=8, n_items=12, interactions_per_user=4))
    (one, two), (a, b) = toy.people.user_ids[:2], toy.catalog.item_ids[:2]
    rows = [f"{one},{a},NULL,1700000000,1", f"{one},{b},NULL,1700000000,", f"{two},{a},s,0,1"]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,session,at,stars", *rows]), encoding="utf-8")
    config = ExposuresConfig.model_validate(
        {"path": "log.csv", "session": "session", "timestamp": "at", "rating": "stars"}
    )
    with pytest.warns(RunWarning) as told:
        assert len(load_exposures(config, tmp_path, toy)) == 3
    texts = sorted(str(each.message) for each in told)
    assert len(texts) == 3
    assert "all 2 ratings (exposures.rating) are 1 on a scale of 1 to 5" in texts[0]
    assert "(exposures.session) holds 'NULL'" in texts[1]
    assert "(2 rows hold" in texts[1]
    assert "(exposures.timestamp) holds '0', which is 1970-01-01" in texts[2]
    (tmp_path / "ties.csv").write_text("user,friend\nnan,1\n1,2\n", encoding="utf-8")
    with pytest.warns(RunWarning, match=r"'user' \(TIES\) holds 'nan'.*\(1 row holds .* remove these rows"):
        read_ties(tmp_path / "ties.csv", ("1", "2"), "the data set", "TIES")
