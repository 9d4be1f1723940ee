"""The catalog: columns that fit, ids that are unique, rows that people can read."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog, Item
from groundlings.environments.errors import DataError


def films(**changes) -> Catalog:
    columns = {
        "item_ids": ("a", "b", "c"),
        "titles": ("Toy Story", "Heat", "Stalker"),
        "years": np.array([1995, np.nan, 1979]),
        "genres": (("Comedy", "Animation"), (), ("Drama",)),
    }
    return Catalog(**(columns | changes))


def test_a_row_reads_as_an_item():
    assert films()[0] == Item(0, "a", "Toy Story", 1995, ("Comedy", "Animation"), None)
    assert films()[1].year is None
    assert films(texts=("x", None, "z"))[2].text == "z"
    assert len(films()) == 3


def test_genres_become_a_matrix():
    catalog = films()
    assert catalog.genre_names == ("Animation", "Comedy", "Drama")
    assert catalog.genre_matrix.tolist() == [[True, True, False], [False, False, False], [False, False, True]]
    assert films(genres=((), (), ())).genre_matrix.shape == (3, 0)


def test_ids_are_looked_up():
    assert films().rows(["c", "nobody", "a"]) == [2, None, 0]


@pytest.mark.parametrize("column", [{"titles": ("only one",)}, {"genres": ((),)}, {"texts": ("only one",)}])
def test_columns_of_another_length_are_refused(column):
    with pytest.raises(DataError, match="3 item ids, but columns of lengths"):
        films(**column)


def test_an_id_that_occurs_twice_is_named():
    with pytest.raises(DataError, match="item id 'b' appears more than once"):
        films(item_ids=("a", "b", "b"))


def test_the_fingerprint_notices_every_cell():
    changed = [
        films(item_ids=("a", "b", "x")),
        films(titles=("Toy Story", "Heat", "Solaris")),
        films(years=np.array([1995, 1995, 1979])),
        films(genres=(("Comedy",), (), ("Drama",))),
        films(texts=(None, "a heist", None)),
    ]
    assert len({films().fingerprint, *(each.fingerprint for each in changed)}) == 6
    assert films().fingerprint == films().fingerprint
