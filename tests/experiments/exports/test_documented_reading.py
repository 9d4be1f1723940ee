"""Every snippet of the document reads an export of its format."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from groundlings.experiments.exports.registry import FORMATS

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/exports.md").read_text()
CONSUMERS = ROOT / "build/consumers/bin/python"
"""Readers whose requirements clash with ours live in an environment of their own, made by `make consumers`."""


def snippets() -> list[tuple[str, str]]:
    """(format, code), by the headings they stand under."""
    sections = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)[1:]
    return [
        (section.splitlines()[0], code)
        for section in sections
        for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    ]


OURS = [pair for pair in snippets() if "# needs:" not in pair[1]]
THEIRS = [pair for pair in snippets() if "# needs:" in pair[1]]


def test_every_format_has_a_section_with_a_snippet():
    assert {name for name, _ in snippets()} == set(FORMATS)


@pytest.mark.parametrize(("name", "code"), OURS, ids=[name for name, _ in OURS])
def test_a_snippet_runs(name, code, export, tmp_path, monkeypatch, capsys):
    export(name)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/exports.md", "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.mark.heavy
@pytest.mark.skipif(not CONSUMERS.exists(), reason="make consumers installs the readers")
@pytest.mark.parametrize(("name", "code"), THEIRS, ids=[name for name, _ in THEIRS])
def test_a_snippet_for_a_heavy_reader_runs(name, code, export, tmp_path):
    out = export(name).directory
    checks = {
        "recbole": "assert dataset.inter_num == len(open('exported/popular/clicks/clicks.inter').readlines()) - 1\n",
        "lenskit": "found = pd.read_parquet('exported/popular/interactions.parquet')\n"
        "assert dataset.interaction_count == len(found) > 0\n",
        "d3rlpy": "assert dataset.size() == int((mdp['terminals'] + mdp['timeouts']).sum()) > 0\n",
        "minari": "assert data.total_steps == sum(len(each.rewards) for each in data.iterate_episodes()) > 0\n",
        "open_bandit": "ours = np.mean(feedback['reward'] / feedback['n_actions'] / feedback['pscore'])\n"
        "value = evaluation.estimate_policy_values(action_dist=np.full(shape, 1 / feedback['n_actions']))\n"
        "assert abs(value['ipw'] - ours) < 1e-12 and ours > 0\n",
    }
    script = tmp_path / "snippet.py"
    script.write_text(f"{code}\n{checks[name]}")
    done = subprocess.run(
        [CONSUMERS, script],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": "", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
