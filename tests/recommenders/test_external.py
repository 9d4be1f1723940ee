from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import DataError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.contract import TOY_SIZE, checkerboard, toy_catalog, toy_user_ids
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.external import ExternalRecommender


def load(path: Path) -> ExternalRecommender:
    recommender = ExternalRecommender(
        Path(path.name), catalog=toy_catalog(), user_ids=toy_user_ids(), base_directory=path.parent
    )
    recommender.fit(checkerboard(), toy_catalog())
    return recommender


def written(directory: Path, text: str, name: str = "rankings.csv") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def ask(recommender, users, size=4, seen=()):
    matrix = np.zeros((len(users), TOY_SIZE))
    for row, item in seen:
        matrix[row, item] = 1
    users = np.array(users)
    request = RankingRequest(users, size, sp.csr_array(matrix), Draws.for_sessions(0, users, 0))
    ranking = recommender.recommend(request)
    ranking.check(request, TOY_SIZE)
    return ranking


def test_rank_decides_the_order_whatever_the_order_of_rows(tmp_path):
    path = written(tmp_path, "user_id,item_id,rank\nu1,i9,3\nu0,i2,1\nu1,i4,1\nu1,i7,2\n")
    ranking = ask(load(path), [1, 0])
    np.testing.assert_array_equal(ranking.items, [[4, 7, 9, NO_ITEM], [2, NO_ITEM, NO_ITEM, NO_ITEM]])
    assert np.isnan(ranking.scores).all()
    assert ranking.propensity_kind == "deterministic"


def test_score_decides_where_there_is_no_rank_and_ties_go_by_the_catalog(tmp_path):
    path = written(tmp_path, "user_id,item_id,score,model\nu0,i9,0.5,x\nu0,i3,0.5,x\nu0,i4,0.9,x\n")
    ranking = ask(load(path), [0], size=3)
    np.testing.assert_array_equal(ranking.items, [[4, 3, 9]])
    np.testing.assert_array_equal(ranking.scores, [[0.9, 0.5, 0.5]])


def test_with_both_rank_orders_and_score_is_kept(tmp_path):
    path = written(tmp_path, "user_id,item_id,rank,score\nu0,i9,1,0.1\nu0,i3,2,0.7\n")
    ranking = ask(load(path), [0], size=2)
    np.testing.assert_array_equal(ranking.items, [[9, 3]])
    np.testing.assert_array_equal(ranking.scores, [[0.1, 0.7]])


def test_seen_items_are_left_out_and_the_list_moves_up(tmp_path):
    path = written(tmp_path, "user_id,item_id,rank\n" + "".join(f"u0,i{item},{item}\n" for item in range(6)))
    ranking = ask(load(path), [0], size=3, seen=[(0, 0), (0, 2)])
    np.testing.assert_array_equal(ranking.items, [[1, 3, 4]])


def test_parquet_with_numbers_as_ids(tmp_path):
    path = tmp_path / "rankings.parquet"
    pd.DataFrame({"user_id": [7, 7], "item_id": [10, 30], "score": [1.0, 2.0]}).to_parquet(path)
    catalog = toy_catalog()
    numbered = type(catalog)(
        tuple(str(10 * item) for item in range(TOY_SIZE)), catalog.titles, catalog.years, catalog.genres
    )
    recommender = ExternalRecommender(path, catalog=numbered, user_ids=("5", "7"), base_directory=Path("elsewhere"))
    recommender.fit(checkerboard(), numbered)
    np.testing.assert_array_equal(ask(recommender, [1], size=2).items, [[3, 1]])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("user_id,item_id\nu0,i1\n", "expected user_id, item_id, and rank or score"),
        ("user,item_id,rank\nu0,i1,1\n", "found columns user, item_id, rank"),
        ("user_id,item_id,rank\nu0,i1,1\nu99,i1,1\n", "line 3: column 'user_id': user 'u99' is not in the data set"),
        (
            "user_id,item_id,rank\nu0,i1,1\nu0,film,2\nu0,film2,3\n",
            r"line 3: .*item 'film' .*\(2 rows name 2 items that are not: 'film', 'film2'\)",
        ),
        ("user_id,item_id,rank\nu0,i1,first\n", "line 2: column 'rank': found 'first', expected a number"),
        ("user_id,item_id,score\nu0,i1,\n", "line 2: column 'score': found '', expected a number"),
        ("user_id,item_id,rank\nu0,i1,1\nu0,i1,2\n", "line 3: user_id 'u0', item_id 'i1' occur together a second"),
        ("user_id,item_id,rank\nu0,i1,1\nu0,i2,1\n", "line 3: user_id 'u0', rank '1' occur together a second"),
        ("", "the file is empty"),
        ("user_id,item_id,rank\nu0,i1,nan\n", "line 2: .*expected a number"),
        ("user_id,item_id,rank\nu0,i1,inf\n", "line 2: .*expected a finite number"),
    ],
)
def test_bad_files_say_where_and_what(tmp_path, text, complaint):
    with pytest.raises(DataError, match=complaint):
        load(written(tmp_path, text))


def test_all_users_and_items_that_are_not_known_are_counted_in_one_message(tmp_path):
    rows = [f"u{user},i{item},{user + item}" for user in (0, 97, 98) for item in (1, 99)]
    path = written(tmp_path, "\n".join(["user_id,item_id,score", *rows]))
    with pytest.raises(DataError) as error:
        load(path)
    said = str(error.value)
    assert "line 4: column 'user_id': user 'u97' is not in the data set (4 rows name 2 users" in said
    assert "line 3: column 'item_id': item 'i99' is not in the data set (3 rows name 1 item that is not" in said
    assert "on_problem" not in said


def test_a_missing_file_and_an_unknown_kind(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        load(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r"\.csv, \.tsv and \.parquet files .*, found '.xlsx'"):
        load(written(tmp_path, "x", "rankings.xlsx"))
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load(written(tmp_path, "this is no parquet", "rankings.parquet"))


def test_a_user_without_a_ranking_is_an_error_not_an_empty_page(tmp_path):
    recommender = load(written(tmp_path, "user_id,item_id,rank\nu0,i1,1\n"))
    with pytest.raises(DataError, match=r"no ranking for user 'u3' \(2 of 3 users"):
        ask(recommender, [0, 3, 4])


def test_users_without_a_ranking_are_found_before_anybody_comes(tmp_path):
    recommender = load(written(tmp_path, "user_id,item_id,rank\nu0,i1,1\n"))
    recommender.check_users(np.array([0]))
    with pytest.raises(DataError, match=r"no ranking for 2 of 3 users who may come: 'u3', 'u4'"):
        DegradedRecommender(recommender, 0.5).check_users(np.array([0, 3, 4]))


def test_ids_that_a_data_frame_keeps_as_floats_are_whole_numbers(tmp_path):
    path = tmp_path / "rankings.parquet"
    pd.DataFrame({"user_id": [7.0, 7.0], "item_id": [10.0, 30.0], "score": [1.0, np.inf]}).to_parquet(path)
    catalog = toy_catalog()
    numbered = type(catalog)(
        tuple(str(10 * item) for item in range(TOY_SIZE)), catalog.titles, catalog.years, catalog.genres
    )
    recommender = ExternalRecommender(path, catalog=numbered, user_ids=("5", "7"), base_directory=Path("elsewhere"))
    recommender.fit(checkerboard(), numbered)
    np.testing.assert_array_equal(ask(recommender, [1], size=2).items, [[3, 1]])
    path.write_text("user_id;item_id;score\n7.0;10.0;1\n7.0;30.0;2\n")
    path.rename(tmp_path / "rankings.csv")
    recommender = ExternalRecommender(
        tmp_path / "rankings.csv", catalog=numbered, user_ids=("5", "7"), base_directory=Path("elsewhere")
    )
    recommender.fit(checkerboard(), numbered)
    np.testing.assert_array_equal(ask(recommender, [1], size=2).items, [[3, 1]])
    (tmp_path / "rankings.csv").write_text("user_id,item_id,score\n7,10.0,1\n7,30,1\n")
    with pytest.raises(DataError, match=r"item '10.0' is not in the data set; '10' is: .* save it as a whole number"):
        ExternalRecommender(
            tmp_path / "rankings.csv", catalog=numbered, user_ids=("5", "7"), base_directory=Path("elsewhere")
        )


@pytest.mark.parametrize("header", ["", "Unnamed: 0"])
def test_an_index_that_a_data_frame_leaves_behind_is_not_read(tmp_path, header):
    rows = f"{header},user_id,item_id,score\n0,u0,i1,1\n1,u0,i2,2\n"
    np.testing.assert_array_equal(ask(load(written(tmp_path, rows)), [0], size=2).items, [[2, 1]])
