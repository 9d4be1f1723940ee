"""MovieLens-100K: 943 people, 1,682 films, 100,000 ratings from September 1997 to April 1998."""

from __future__ import annotations

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import movielens
from groundlings.environments.datasets.archives import Archive, Files, Member, OfficialArchive, WheelArchive
from groundlings.environments.people import People

_FOLDER = "recbole/dataset_example/ml-100k/ml-100k"

ARCHIVE = Archive(
    "ml-100k",
    OfficialArchive(
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        "0e33842e24a9c977be4e0107933c0723",
        {
            "ratings": Member("ml-100k/u.data", "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"),
            "items": Member("ml-100k/u.item"),
            "users": Member("ml-100k/u.user", "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c"),
        },
    ),
    WheelArchive(
        "recbole==1.2.1",
        "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        {
            "ratings": Member(f"{_FOLDER}.inter", "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"),
            "items": Member(f"{_FOLDER}.item", "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"),
            "users": Member(f"{_FOLDER}.user", "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972"),
        },
    ),
)

# The flags of u.item, in the order of its last 19 columns.
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_NO_TITLE = "unkonwn"  # how the package spells the one film without title and year


def parse(files: Files) -> Dataset:
    """The same data set from either layout."""
    official = files.layout == "official"
    films = (_official_films if official else _wheel_films)(files.contents["items"])
    separator = "|" if official else "\t"
    people = movielens.records(files.contents["users"], "utf-8", separator, 5, "ml-100k users")[0 if official else 1 :]
    ids, titles, genres = films
    return movielens.build(
        "ml-100k",
        movielens.catalog(ids, titles, genres),
        People(
            user_ids=tuple(row[0] for row in people),
            attributes=tuple(
                movielens.known(age=age, gender=movielens.GENDERS.get(gender), occupation=occupation, zip_code=zip_code)
                for _, age, gender, occupation, zip_code in people
            ),
        ),
        movielens.table(
            files.contents["ratings"], "ml-100k ratings", separator="\t", header=not official, columns=range(4)
        ),
        ids,
        files.source,
    )


_Films = tuple[list[str], list[str], list[list[str]]]


def _official_films(content: bytes) -> _Films:
    rows = movielens.records(content, "latin-1", "|", 5 + len(_GENRES), "u.item")
    genres = [[name for name, flag in zip(_GENRES, row[5:], strict=True) if flag == "1"] for row in rows]
    return [row[0] for row in rows], [row[1] for row in rows], genres


def _wheel_films(content: bytes) -> _Films:
    rows = movielens.records(content, "utf-8", "\t", 4, "ml-100k.item")[1:]
    titles = ["unknown" if title == _NO_TITLE else f"{title} ({year})" for _, title, year, _ in rows]
    return [row[0] for row in rows], titles, [row[3].split(" ") for row in rows]
