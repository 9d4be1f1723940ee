"""Model servers as practitioners' bug reports describe them, each in a whole run: section A of the cases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

PEOPLE, PAGES = 4, 8
GROCERIES = ("Oat Milk", "Rye Bread", "Plum Jam", "Tea", "Rice", "Soap", "Eggs", "Figs", "Salt", "Kale", "Dill")
POISON = "Night Bean"  # bought by nobody, so that it stands in the prompts that offer it and in no other

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def _quick(monkeypatch, quick_report):
    """Reports that nobody looks at, and back-off as ever, a hundred times faster."""
    monkeypatch.setattr("groundlings.simulator.language.faults._FIRST_DELAY_SECONDS", 0.005)


class Outcome:
    """What the terminal said, and what the log holds."""

    def __init__(self, directory: Path, status: int, said: str) -> None:
        self.directory, self.status, self.said = directory, status, " ".join(said.split())

    def rows(self, query: str) -> list[tuple]:
        with closing(sqlite3.connect(self.directory / "log.db")) as log:
            return log.execute(query).fetchall()

    def calls(self) -> dict[str, int]:
        return dict(self.rows("SELECT status || ' ' || form, count(*) FROM calls GROUP BY 1 ORDER BY 1"))

    @property
    def digest(self) -> str:
        return str(json.loads((self.directory / "manifest.json").read_text())["digest"])


@pytest.fixture
def ask(tmp_path, address, command):
    """Runs the shop against a server of a kind; two arms, every session one page."""
    items = [f"g{number},{name},food" for number, name in enumerate((*GROCERIES, POISON))]
    bought = [
        f"c{person},g{(person + 2 * place) % 11},{1 + place % 5},{1_700_000_000 + 100 * person + place}"
        for person in range(PEOPLE)
        for place in range(5)
    ]
    (tmp_path / "items.csv").write_text("\n".join(["sku,name,kind", *items]) + "\n")
    (tmp_path / "bought.csv").write_text("\n".join(["customer,sku,stars,time", *bought]) + "\n")

    def run(kind: str, *, query: str = "", scale=(1, 5, 1), mind=None, **model) -> Outcome:
        low, high, step = scale
        interactions = {"path": str(tmp_path / "bought.csv"), "user": "customer", "item": "sku", "timestamp": "time"}
        interactions |= {"rating": "stars"} if scale == (1, 5, 1) else {}
        experiment = {
            "name": "shop", "seed": 7,
            "dataset": {"name": "own", "own": {
                "interactions": interactions,
                "items": {"path": str(tmp_path / "items.csv"), "id": "sku", "title": "name", "genres": "kind"},
                "scale": {"low": low, "high": high, "step": step}}},
            "population": {"size": PEOPLE}, "simulation": {"days": 1},
            "site": {"page_size": 4, "max_pages": 2}, "held_out": False,
            "mind": {"kind": "language", **(mind or {}), "model": {
                "provider": "endpoint", "base_url": address(kind) + query, "model": "m", "max_attempts": 3, **model}},
            "arms": [{"name": "popular", "recommender": "popular"}, {"name": "random", "recommender": "random_order"}],
        }  # fmt: skip
        (tmp_path / "shop.yaml").write_text(json.dumps(experiment))
        directory = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        return Outcome(directory, *command("run", tmp_path / "shop.yaml", "--out", directory))

    return run


@pytest.mark.parametrize("kind", ["rf400", "rf400plain", "rf500", "rf501"])
def test_a_refused_reply_form_is_left_out_for_all_arms_alike(ask, kind):
    run = ask(kind)
    assert (run.status, run.calls()) == (0, {"ok none": PAGES}), run.said
    assert "all arms are asked without one" in run.said


@pytest.mark.parametrize("kind", ["groq", "groq2"])
def test_a_generation_that_fails_once_is_asked_for_again_in_the_same_form(ask, kind):
    assert ask(kind).calls() == {"ok json_schema": PAGES}


@pytest.mark.parametrize(
    ("kind", "words"), [("filter400", "content management policy"), ("mod403", 'flagged for "violence"')]
)
def test_a_prompt_that_is_refused_costs_its_page_and_the_run_ends(ask, kind, words):
    run = ask(kind, mind={"max_unreadable": 0.99})
    lost = run.rows("SELECT count(*) FROM calls WHERE status = 'unanswerable'")[0][0]
    assert 0 < lost < PAGES
    assert run.status == 0, run.said
    assert f"{lost} of {PAGES} replies unanswerable" in run.said
    assert words in run.said
    assert "key" not in run.said


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("reasoning_only", "finish_reason length 8; raise mind.model.max_tokens"),
        ("content_none", "finish_reason length 8; raise mind.model.max_tokens"),
        ("truncated", "finish_reason length 8; raise mind.model.max_tokens"),
        ("think_inline", "mind.model.thinking: strip"),
        ("tailprose", "not JSON 8; the server takes a JSON schema and does not keep to it: try"),
        ("endless", "longer than is read 8; see why the server sends more than max_tokens allows"),
        ("refusal", "finish_reason content_filter 8"),
    ],
)
def test_a_run_of_which_nothing_could_be_read_fails_and_says_why(ask, kind, why):
    run = ask(kind)
    assert run.status == 1, run.said
    assert f"{PAGES} of {PAGES} replies unreadable" in run.said
    assert why in run.said
    assert run.rows("SELECT count(*) FROM impressions WHERE clicked IS NOT NULL") == [(0,)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("choices_null", "error 429 in place of a reply: Provider returned error"),
        ("error200_402", "the account is empty (error 402 in place of a reply: Insufficient credits"),
    ],
)
def test_an_error_in_place_of_a_reply_is_told_in_the_servers_words(ask, kind, words):
    run = ask(kind)
    assert run.status == 2
    assert words in run.said


def test_a_redirect_says_where_it_leads_and_what_to_mend(ask):
    said = ask("moved").said
    assert "sends elsewhere (HTTP 301: it leads to https://other.example/v1/chat" in said
    assert "mend mind.model.base_url" in said
    assert not any(part in said for part in ("structured", "pw@", "token", "\x1b[31m"))


def test_an_answer_of_another_api_is_no_error_of_the_server(ask):
    assert "no chat completion (no message in it: {" in ask("own_api").said


def test_words_of_a_server_that_are_cut_are_marked(ask):
    assert "at most 123456..." in ask("long400").said


def test_advice_to_enforce_a_form_is_given_where_none_was_asked_for(ask):
    assert "have the form enforced (mind.model.structured" in ask("tailprose", structured="none").said


@pytest.mark.parametrize("kind", ["nousage", "usageneg"])
def test_a_cap_holds_where_tokens_are_not_or_wrongly_counted(ask, kind):
    run = ask(kind, budget={"tokens": 2000})
    assert run.status == 2
    assert sum(run.calls().values()) < PAGES
    assert "calls are estimated" in run.said


@pytest.mark.parametrize(
    ("kind", "advice", "settings", "mind"),
    [
        ("maxct", "limit_key: max_completion_tokens", {"limit_key": "max_completion_tokens"}, {}),
        ("temp1", "temperature: 1", {"temperature": 1}, {}),
        ("nosystem", "merge_system: true", {"merge_system": True}, {}),
        ("think_empty", "thinking: strip", {"thinking": "strip"}, {}),
        ("lp5", "top_logprobs: 5", {"top_logprobs": 5}, {"decision": "graded"}),
    ],
)
def test_what_a_server_wants_is_named_and_the_setting_works(ask, kind, advice, settings, mind):
    before = ask(kind, mind=mind)
    assert before.status in (1, 2)
    assert advice in before.said
    after = ask(kind, mind=mind, **settings)
    assert after.status == 0, after.said


def test_lists_of_models_parts_streams_and_queries_change_no_decision(ask):
    expected = ask("ok")
    assert expected.status == 0
    kinds = ("barelist", "datanull", "nomodels500", "htmlmodels", "parts")
    assert {ask(kind).digest for kind in kinds} == {expected.digest}
    assert ask("ok", query="?api-version=2024-10-21").digest == expected.digest
    assert ask("sse").calls() == expected.calls()


def test_marks_of_tokenizers_are_spaces(ask):
    marked = [ask(kind, mind={"decision": "graded"}) for kind in ("lpok", "lpstar", "lpgpt2")]
    decided = [run.rows("SELECT * FROM impressions") for run in marked]
    assert decided[0]
    assert decided[0] == decided[1] == decided[2]


@pytest.mark.parametrize("kind", ["lpnull", "lpnan", "lpinf"])
def test_a_log_probability_that_is_none_is_no_refusal_to_click(ask, kind):
    run = ask(kind, mind={"decision": "graded"})
    assert run.status == 1
    assert f"{PAGES} of {PAGES} pages unreadable: no probability of an answer" in run.said
    assert run.rows("SELECT count(*) FROM impressions WHERE clicked IS NOT NULL") == [(0,)]


@pytest.mark.parametrize(
    ("kind", "scale", "given"), [("tenth", (0, 1, 0.1), {0.3, 0.7}), ("third", (-1, 1, 0.333333), {-0.666667})]
)
def test_a_rating_is_taken_as_the_prompt_lists_it(ask, kind, scale, given):
    run = ask(kind, scale=scale)
    assert run.status == 0, run.said
    ratings = {rating for (rating,) in run.rows("SELECT DISTINCT rating FROM impressions WHERE rating IS NOT NULL")}
    assert {round(rating, 6) for rating in ratings} == given
    assert run.rows("SELECT count(*) FROM events WHERE kind = 'illegal'") == [(0,)]
