"""The files of the labs: what says whether an audience passed."""

from __future__ import annotations

import json
from functools import partial

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.comparison.fidelity_gate import find_gate, find_truth, lab_records
from groundlings.simulator.log.manifest_seal import with_seal


@pytest.mark.parametrize("word", ["false", None, 1, [True]])
def test_a_gate_is_passed_by_a_truth_value_alone(tmp_path, word):
    content = {"about": {"minds": {"mind": {}}}, "system_gate_passed": word, "gate_passed": {"mind": word}}
    for name, find in (("fidelity.json", find_gate), ("truth.json", find_truth)):
        (tmp_path / name).write_text(json.dumps(content | {"records": []}))
        with pytest.raises(RunDirectoryError, match="not a file of the"):
            find(tmp_path, None, "d", {})


def test_records_of_a_truth_file_are_the_pooled_ones_of_the_mind_that_is_most_like_the_runs(tmp_path):
    rows = [
        {"part": "order", "scorer": name, "kind": "mind", "salt": salt} for name in "ab" for salt in ("pooled", "1")
    ]
    rows.append({"part": "order", "scorer": "rule", "kind": "trivial", "salt": "pooled"})
    about = {"dataset_hash": "d", "minds": {"a": {"columns": 4}, "b": {"columns": 2}}}
    content = with_seal({"about": about, "gate_passed": {"a": False, "b": True}, "records": rows})
    (tmp_path / "truth.json").write_text(json.dumps(content))
    found = lab_records(tmp_path, None, "d", {"columns": 2}, truth=True)
    assert [each["scorer"] for each in found] == ["b", "rule"]
    assert lab_records(tmp_path, None, "d", {}) == [], "there is no fidelity file"
    (tmp_path / "truth.json").write_text(json.dumps(content | {"gate_passed": {"a": True, "b": True}}))
    for read in (find_truth, partial(lab_records, truth=True)):
        with pytest.raises(RunDirectoryError, match=r"was changed after it was written; .* `groundlings truth FILE"):
            read(tmp_path, None, "d", {})
