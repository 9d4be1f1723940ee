"""What is named where a file or a run should be, and is none: one message each, and no memory without end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError, RunDirectoryError
from groundlings.experiments.analysis.comparison.fidelity_gate import find_gate
from groundlings.personas.search.fitted import read_fitted_search
from groundlings.personas.taste.calibration import read_calibration
from tests.fitted_search import written

LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("check", f"{LONG}.yaml"),
        ("run", "--resume", LONG),
        ("report", LONG),
        ("digest", LONG),
        ("compare", LONG),
        ("runs", "show", LONG),
        ("runs", "delete", LONG, "--yes"),
        ("runs", "list", "--dir", LONG),
        ("export", LONG, "--format", "movielens", "--out", "e"),
        ("fidelity", f"{LONG}.yaml"),
        ("model", "check", f"{LONG}.yaml"),
    ],
    ids=lambda words: words[0],
)
def test_a_name_longer_than_any_file_has_is_one_message(command, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    status, said = command(*words)
    assert status == 2
    assert "name too long" in said or "each name in it at most 255" in said


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_is_read_no_further_than_a_file_can_be(command, monkeypatch):
    status, said = command("check", "/dev/zero")
    assert status == 2
    assert "found more than 1,048,576 bytes" in said
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        bounded_text(Path("/dev/zero"), 1000)


def test_a_long_file_in_the_place_of_settings_or_results_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded_text, "__defaults__", (1000,))
    path = tmp_path / "fidelity.json"
    path.write_text("[" * 2000)
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        read_calibration(path)
    with pytest.raises(RunDirectoryError, match="more than 1,000 bytes"):
        find_gate(tmp_path, path, "hash", {})


def test_a_byte_order_mark_is_no_part_of_a_file_that_an_editor_saved(tmp_path):
    plain, marked = tmp_path / "plain.json", tmp_path / "marked.json"
    written(plain)
    marked.write_text(plain.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_fitted_search(marked) == read_fitted_search(plain)


def test_a_file_that_no_json_can_be_read_from_is_none_of_the_labs(tmp_path):
    for content, why in ((b"[" * 100_000, "it is nested too deeply"), (b"\xac" * 3_000, "byte 0xac is not UTF-8")):
        (tmp_path / "fidelity.json").write_bytes(content)
        with pytest.raises(RunDirectoryError, match=rf"not a file of the fidelity lab \({why}\); expected"):
            find_gate(tmp_path, tmp_path / "fidelity.json", "hash", {})


def test_a_link_to_itself_is_one_message_wherever_a_path_is_named(command, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop.name)
    content = {
        "name": "x", "seed": 1, "dataset": {"name": "toy"}, "arms": [{"name": "a", "recommender": "popular"}],
        "mind": {"kind": "language", "model": {"provider": "scripted", "store": {"path": "loop", "mode": "record"}}},
    }  # fmt: skip
    (tmp_path / "x.yaml").write_text(json.dumps(content))
    for words in (("run", tmp_path / "x.yaml", "--out", tmp_path / "run"), ("runs", "delete", loop, "--yes")):
        status, said = command(*words)
        assert status == 2, said
        assert "error" in said


@pytest.mark.parametrize(("make", "what"), [(os.mkdir, "a directory"), (os.mkfifo, "a device or a pipe")])
def test_what_is_there_and_no_file_is_not_called_missing(shop, make, what):
    make(shop.folder / "inter.csv")
    assert f"inter.csv: this is {what}; expected a CSV or Parquet file" in shop.refusal()


@pytest.mark.parametrize("status", ["7", "0", "'done'", "None"])
def test_code_that_ends_the_program_on_import_is_named(status: str, command, monkeypatch, tmp_path: Path):
    module = f"script_{abs(hash(status))}"
    (tmp_path / f"{module}.py").write_text(f"import sys\nsys.exit({status})\n")
    content = {"name": "x", "seed": 1, "dataset": "toy", "mind": "behavioural"}
    arms = [{"name": "mine", "recommender": f"{module}:Mine"}]
    (tmp_path / "file.yaml").write_text(yaml.safe_dump({**content, "arms": arms}))
    monkeypatch.chdir(tmp_path)
    code, said = command("check", "file.yaml")
    assert code == 2
    assert f"{module} ends the program when it is imported" in said


def test_an_error_of_its_own_on_import_is_named_whatever_it_derives_from(command, monkeypatch, tmp_path: Path):
    (tmp_path / "raises_its_own.py").write_text("class Own(BaseException): pass\nraise Own('no licence')\n")
    content = {"name": "x", "seed": 1, "dataset": "toy", "mind": "behavioural"}
    arms = [{"name": "mine", "recommender": "raises_its_own:Mine"}]
    (tmp_path / "file.yaml").write_text(yaml.safe_dump({**content, "arms": arms}))
    monkeypatch.chdir(tmp_path)
    code, said = command("check", "file.yaml")
    assert (code, "raises_its_own:Mine cannot be imported: Own: no licence" in said) == (2, True)


def test_code_of_ones_own_that_ends_the_program_does_not_end_it_with_its_status(command, monkeypatch, tmp_path: Path):
    (tmp_path / "ends_it_all.py").write_text(
        "from groundlings.recommenders.popular import PopularRecommender\n"
        "class Mine(PopularRecommender):\n    def __init__(self):\n        raise SystemExit(0)\n"
    )
    content = {"name": "x", "seed": 1, "dataset": "toy", "mind": "behavioural"}
    arms = [{"name": "mine", "recommender": "ends_it_all:Mine"}]
    (tmp_path / "file.yaml").write_text(yaml.safe_dump({**content, "arms": arms}))
    monkeypatch.chdir(tmp_path)
    code, said = command("check", "file.yaml")
    assert (code, "ends_it_all.py, line 4: code that this command called ended the program" in said) == (2, True)


@pytest.mark.parametrize("name", ["base", "runs.v2/base"])
def test_a_run_that_is_not_there_is_called_a_missing_run(command, tmp_path: Path, name: str):
    code, said = command("compare", tmp_path / name)
    assert (code, "there is no such run; expected a directory that" in said) == (2, True)


@pytest.mark.parametrize(
    "words",
    [("runs", "show"), ("compare",), ("run", "--resume"), ("runs", "delete", "--yes")],
    ids=lambda words: words[-1] if words[0] == "run" else words[0],
)
@pytest.mark.parametrize("named", ["kept/frist.v2", "first.v2"])
def test_a_run_that_is_not_there_is_asked_for_by_its_nearest_name(command, monkeypatch, tmp_path, words, named):
    monkeypatch.chdir(tmp_path)
    folder = Path(named).parent if "/" in named else Path("runs")
    for name in ("first.v2", "second"):
        (folder / name).mkdir(parents=True)
        (folder / name / "log.db").touch()
    (folder / "frist.yaml").touch()
    code, said = command(*words, named)
    assert (code, f"did you mean {folder}/first.v2?" in said) == (2, True)


def test_a_file_that_is_plainly_no_log_is_named_for_what_it_is(command, monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    Path("experiment.yaml").write_text("name: x\nseed: 1\ndataset: toy\n")
    Path("runs/one").mkdir(parents=True)
    Path("runs/one/log.db").touch()
    Path("runs/one/report.html").write_text("<!doctype html><p>a page</p>")
    assert "an experiment file, not a run; expected the directory" in command("compare", "experiment.yaml")[1]
    assert "did you mean the run, runs/one?" in command("digest", "runs/one/report.html")[1]


def test_an_export_without_a_format_names_the_formats(command, tmp_path: Path):
    code, said = command("export", tmp_path, "--out", tmp_path / "x")
    assert (code, "Missing option '--format'. Known: d3rlpy, lenskit" in said) == (2, True)


def test_tables_that_cannot_be_read_as_proposed_end_data_check_with_a_status(command, tmp_path: Path):
    met = [f"u{row % 7},{row % 30},2024-01-{row % 28 + 1:02d}" for row in range(60)]
    (tmp_path / "met.csv").write_text("\n".join(["user,item,time", *met, ""]))
    items = [f"{item},Item {item}" for item in range(29)]
    (tmp_path / "items.csv").write_text("\n".join(["item,title", *items, ""]))
    files = tmp_path / "met.csv", tmp_path / "items.csv"
    code, said = command("data", "check", *files)
    assert (code, "not yet" in said, "'29'" in said) == (1, True, True)
    code, said = command("data", "check", *files, "--yaml")
    assert (code, "# not yet: read as proposed" in said) == (1, True)
    with (tmp_path / "items.csv").open("a") as file:
        file.write("29,None\n")
    code, said = command("data", "check", *files, "--yaml")
    assert (code, "(own.items.title) holds 'None'" in said) == (0, True), "notes are comments, too"


def test_a_day_beyond_all_runs_is_one_message(command, tmp_path: Path):
    status, said = command("agent", tmp_path, "--user", "u1", "--day", "9" * 20)
    assert (status, "--day" in said) == (2, True)


@pytest.mark.parametrize(
    "content",
    [
        "id,title\n1," + '"' + ("x" * 99 + "\n") * 30_000 + '"\n2,b\n',
        "id,title," + "h" * 2_000_000 + "\n1,a,b\n2,b,c\n",
        "id,title\n1," + "x" * 3_000_000 + "\n2,b\n",
    ],
    ids=["cell", "header", "line"],
)
def test_rows_may_be_longer_than_a_block_of_the_reader(tmp_path, content):
    path = tmp_path / "long.csv"
    path.write_text(content)
    assert Table.read(path).column("id", "id").cells == ["1", "2"]


def test_a_header_without_an_end_of_line_is_a_table_without_rows(tmp_path):
    path = tmp_path / "header.csv"
    path.write_text("id,title")
    with pytest.raises(DataError, match="the file has no rows"):
        Table.read(path)
