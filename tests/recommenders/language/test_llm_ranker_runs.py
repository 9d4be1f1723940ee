"""An experiment with `llm_ranker`: it runs, counts what the model made up, replays and resumes to the same digest."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from groundlings.environments.errors import BudgetExhausted, ProviderError
from groundlings.experiments.analysis.metrics.summary import summarise
from groundlings.experiments.analysis.report.terminal import render_summary_table
from groundlings.experiments.archive.inventory import read_run
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.simulator.language import scripted
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("quick_report")

PEOPLE = 8


def backwards(request):
    """The candidates from the last to the first, less one, with a name that nobody showed and one twice."""
    names = candidates_shown(request.messages[-1].content)[::-1]
    return json.dumps({"ranking": [*names[:-1], "The item that is not", names[0]]})


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", backwards)

    def made(model=None, options=None, **further):
        return ExperimentConfig.model_validate(
            {
                "name": "ranked",
                "seed": 5,
                "dataset": {
                    "name": "toy",
                    "toy": {"n_users": PEOPLE, "n_items": 40, "interactions_per_user": 8},
                },
                "simulation": {"days": 2},
                "site": {"page_size": 4, "max_pages": 3, "rank_each": "page"},
                "mind": "behavioural",
                "arms": [
                    {"name": "popular", "recommender": "popular"},
                    {
                        "name": "ranked",
                        "recommender": "llm_ranker",
                        "options": {"of": {"recommender": "popular"}, "candidates": 8, **(options or {})},
                        "model": {"provider": "scripted", **(model or {})},
                    },
                ],
                "base": tmp_path,
                **further,
            }
        )

    return made


def test_it_is_recorded_replays_and_resumes_to_the_same_digest_one_call_at_a_time(experiment, tmp_path):
    store = {"path": str(tmp_path / "calls.db")}
    first = run_experiment(experiment({"store": {**store, "mode": "record"}, "concurrency": 1}), tmp_path / "first")
    again = run_experiment(experiment({"store": {**store, "mode": "replay"}}), tmp_path / "again")
    assert again.digest == first.digest
    with LogReader(first.directory) as log:
        total = len(log.calls())
    capped = experiment({"budget": {"calls": total // 2}})
    with pytest.raises(BudgetExhausted):
        run_experiment(capped, tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace(f"calls: {total // 2}", f"calls: {2 * total}"))
    assert resume_experiment(tmp_path / "run").digest == first.digest


def test_a_summary_counts_what_the_model_made_up_repeated_and_left_out(experiment, tmp_path):
    done = run_experiment(experiment(options={"rounds": 3}), tmp_path / "run")
    with LogReader(done.directory) as log:
        calls = len(log.calls())
    arms = {arm["name"]: arm for arm in json.loads((done.directory / "summary.json").read_text())["arms"]}
    assert "model_lists" not in arms["popular"]
    found = arms["ranked"]["model_lists"]
    assert (found["questions"], found["lists"], found["again"]) == (calls, calls // 3, calls - calls // 3)
    assert calls % 3 == 0
    assert found["hallucinated"] == found["repeated"] == found["missing"] == calls
    assert found["hallucination_rate"] == pytest.approx(calls / found["names"])
    with LogReader(done.directory) as log:
        table = render_summary_table(summarise(log))
    printed = Console(file=StringIO(), width=400)
    printed.print(table)
    told = f"ranked: {calls // 3} lists asked of a language model in {calls} questions, 0 unreadable"
    assert told in printed.file.getvalue()
    assert f"{calls} of {found['names']} names fit no candidate" in printed.file.getvalue()
    assert {arm: lists.as_dict() for arm, lists in read_run(done.directory).lists.items()} == {"ranked": found}
    export_run(done.directory, "trec", tmp_path / "out")
    sheet = json.loads((tmp_path / "out" / "datasheet.json").read_text())
    assert [each.get("model_lists", {}).get("hallucinated") for each in sheet["arms"]] == [None, calls]
    assert f"ranked: {calls // 3} lists asked of a language model" in (tmp_path / "out" / "DATASHEET.md").read_text()


def test_a_model_that_names_no_candidate_stops_the_run_or_is_counted(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", lambda request: "I do not rank")
    with pytest.raises(ProviderError, match="scripted gave no reply that names a candidate"):
        run_experiment(experiment(), tmp_path / "stopped")
    done = run_experiment(experiment(options={"fallback": "candidates"}), tmp_path / "run")
    arm = json.loads((done.directory / "summary.json").read_text())["arms"][1]
    assert arm["model_lists"]["unreadable"] == arm["counts"]["calls"] == arm["model_lists"]["questions"]
    assert arm["model_lists"]["hallucination_rate"] is None
    monkeypatch.setattr(scripted, "legal_reply", lambda request: '{"ranking":["The item that is not"]}')
    made_up = run_experiment(experiment(options={"fallback": "candidates"}), tmp_path / "made_up")
    found = json.loads((made_up.directory / "summary.json").read_text())["arms"][1]["model_lists"]
    assert found["nothing_named"] == found["questions"] == found["names"] == found["hallucinated"]
    assert (found["unreadable"], found["hallucination_rate"]) == (0, 1)
    with LogReader(done.directory) as log:
        assert set(log.calls().status) == {"unreadable"}
