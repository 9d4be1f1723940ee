"""A student of teachers whose answers are known: what it recovers, what is left out, and what is not asked twice."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError, DataError, ProviderError, TooMuchUnreadable
from groundlings.experiments.labs.distil import lab
from groundlings.experiments.labs.distil.findings import DRAWN, STUDENT, TEACHER
from groundlings.experiments.labs.distil.teacher_table import read_answers
from tests.experiments.labs.distil.conftest import Teacher
from tests.repeat_shop import repeat_shop


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("distilled")


@pytest.fixture(scope="module")
def found(distil, directory):
    return distil(Teacher(), directory)


def students(findings):
    return {each.student: each for each in findings.students}


def lines(directory):
    with (directory / "teacher.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_known_function_is_recovered_on_people_it_was_not_learned_from_and_shuffled_answers_are_not(found):
    rows = students(found)
    for name in ("all answers", "pairs: uniform", "pairs: uncertainty"):
        assert rows[name].r2.low > 0.5
        assert rows[name].unseen_r2.low > 0.5
    assert rows["shuffled answers"].r2.high < 0.1
    assert rows["shuffled answers"].gain.high < 0
    assert rows["pairs: uniform"].pairs == rows["pairs: uncertainty"].pairs == 150 + 2 * 40
    assert rows["pairs: uncertainty"].beside == "pairs: uniform"


def test_of_answers_that_mean_nothing_nothing_is_reproduced_and_draws_keep_their_spread(distil, tmp_path):
    found = distil(Teacher(1.0, meaningless=True), tmp_path)
    assert students(found)["all answers"].r2.high < 0.1
    predictions, draws = found.spreads[1:]
    assert predictions.within_ratio.high < 0.5
    assert draws.within_ratio.value == pytest.approx(1, abs=0.3)
    assert found.find(DRAWN, "list AUC").value != found.find(STUDENT, "list AUC").value


def test_unreadable_answers_have_no_number_and_are_counted(distil, tmp_path):
    found = distil(Teacher(unreadable=8), tmp_path)
    asked, rows = found.about["asked"], lines(tmp_path)
    unreadable = [row for row in rows if row["status"] == "unreadable"]
    assert asked["unreadable"] == len(unreadable) > 10
    assert {row["log_odds"] for row in unreadable} == {""}
    assert all(row["first_token"] for row in unreadable)
    learned = sum(row["third"] == "learned" for row in unreadable)
    everything = students(found)["all answers"]
    assert everything.pairs - everything.readable == learned > 0
    assert students(found)["all answers"].r2.low > 0.5
    assert found.find(TEACHER, "top-1").left_out > found.find(STUDENT, "top-1").left_out == 0


def test_groceries_that_are_bought_again_are_told_of_as_films_are(distil, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "load_dataset", lambda *_, **__: repeat_shop())
    teacher = Teacher()
    found = distil(teacher, tmp_path, "pairs.first=120", "pairs.rounds=1", "pairs.per_round=20", "teacher.scenes=10")
    assert all("Product" in told and "film" not in told for told in teacher.asked)
    assert students(found)["all answers"].r2.low > 0.3
    assert students(found)["shuffled answers"].r2.high < 0.3


def test_too_many_unreadable_answers_stop_the_lab(distil, tmp_path):
    with pytest.raises(TooMuchUnreadable, match=r"teacher\.max_unreadable allows 5 %"):
        distil(Teacher(unreadable=3), tmp_path, "teacher.max_unreadable=0.05")


def test_interrupted_and_resumed_no_pair_is_asked_twice_and_the_result_is_the_same(distil, tmp_path, found, directory):
    first, second = Teacher(breaks_after=230), Teacher()
    with pytest.raises(ProviderError):
        distil(first, tmp_path)
    assert len(lines(tmp_path)) == len(first.asked) == 230
    resumed = distil(second, tmp_path)
    asked = first.asked + second.asked
    assert len(asked) == len(set(asked)) == len(lines(tmp_path)) == found.about["asked"]["answers"]
    assert resumed.students == found.students
    assert resumed.rows == found.rows
    assert resumed.about["asked"]["asked_now"] == len(second.asked)
    assert lines(tmp_path) == lines(directory)


class Odd(Teacher):
    """Counts no tokens, has line breaks in its name, once lists thousands of tokens, and once knows no odds."""

    def _reply(self, first_token):
        further = {
            3: tuple((f"token {number}", -30.0) for number in range(12_000)),
            4: (("Perhaps", float("nan")),),
        }.get(len(self.asked), ())
        listed = (*first_token, *further)
        return replace(super()._reply(first_token), model="a\rb\nc", first_token=listed, tokens_estimated=True)


def test_a_table_holds_whatever_a_server_says_and_knows_again_which_tokens_are_estimated(distil, tmp_path):
    found = distil(Odd(), tmp_path)
    again = distil(Odd(breaks_after=0), tmp_path)
    assert again.rows == found.rows
    for findings in (found, again):
        asked = findings.about["asked"]
        assert asked["answers_with_estimated_tokens"] == asked["answers"]
    written = (tmp_path / "teacher.csv").read_bytes()
    assert b"\n" in written
    assert b"NaN" not in written
    rows = read_answers(tmp_path / "teacher.csv")
    assert {row.model for row in rows} == {"a\rb\nc"}
    assert max(len(row.first_token) for row in rows) > 131_072
    (tmp_path / "teacher.csv").write_bytes(written.replace(b'"a\rb', b"a\rb", 1))
    with pytest.raises(DataError, match="restore"):
        distil(Odd(), tmp_path)


def test_a_line_that_was_being_written_is_taken_out_and_its_pair_asked_again(distil, tmp_path, directory, found):
    whole = (directory / "teacher.csv").read_text()
    (tmp_path / "teacher.csv").write_text(whole[:-20])
    teacher = Teacher()
    assert distil(teacher, tmp_path).students == found.students
    assert len(teacher.asked) == 1
    assert (tmp_path / "teacher.csv").read_text() == whole


def test_answers_of_another_model_and_damaged_ones_are_refused(distil, tmp_path, directory, found):
    whole = (directory / "teacher.csv").read_text()
    path = tmp_path / "teacher.csv"
    path.write_text(whole)
    other = Teacher()
    other.name = "another"
    with pytest.raises(ConfigError, match=r"holds answers of teacher, and teacher\.model is another"):
        distil(other, tmp_path)
    path.write_text(whole.replace(",ok,", ",unreadable,", 1))
    with pytest.raises(DataError, match="line 2 is damaged"):
        distil(Teacher(), tmp_path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="found the columns a, b"):
        distil(Teacher(), tmp_path)


def test_a_budget_that_cannot_hold_is_refused_before_anything_is_asked(distil, tmp_path):
    teacher = Teacher()
    with pytest.raises(ConfigError, match="100 are too few for this file, which asks 510 questions at most"):
        distil(teacher, tmp_path, "teacher.model.budget.calls=100")
    assert not teacher.asked


def test_the_student_that_is_written_predicts_what_the_student_predicts(found):
    written = found.student_as_dict()
    columns = written["columns"]
    assert [each["name"] for each in columns] == list(found.features)
    features = np.random.default_rng(0).normal(size=(3, len(columns)))
    scale, centre, slope = (np.array([each[key] for each in columns]) for key in ("scale", "centre", "slope"))
    np.testing.assert_allclose(
        written["mean"] + (features * scale - centre) @ slope, found.student.predict(features), rtol=1e-9
    )
    assert replace(found.student, penalty=0.0).predict(features) == pytest.approx(found.student.predict(features))
