"""The shipped examination of Coat, where its files lie beside the project or are named in COAT."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from groundlings.environments.errors import DataError
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.truth.arms import fit_arms
from groundlings.experiments.labs.truth.config import FEWEST_RECOMMENDERS, FEWEST_SALTS, TruthConfig
from groundlings.experiments.labs.truth.ground import KNOWN_PAIRS, lay_ground
from groundlings.experiments.labs.truth.lab import examine

ROOT = Path(__file__).parents[4]
SHIPPED = ROOT / "experiments" / "configs" / "truth_coat.yaml"


def coat() -> Path:
    """The folder, or a skipped test."""
    named = os.environ.get("COAT")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "coat"
    if not (folder / "train.ascii").is_file():
        pytest.skip(f"Coat is not here: no {folder / 'train.ascii'}; name its folder in COAT (docs/truth.md)")
    return folder.resolve()


def test_the_shipped_file_asks_for_the_folder():
    config = load_as(TruthConfig, SHIPPED)
    assert len(config.recommenders) >= FEWEST_RECOMMENDERS
    assert len(config.truth.salts) >= FEWEST_SALTS
    with pytest.raises(DataError, match=r"--set truth\.directory=FOLDER"):
        lay_ground(config)


def test_the_files_are_those_of_the_paper():
    ground = lay_ground(load_as(TruthConfig, SHIPPED, [f"truth.directory={coat()}"]))
    assert (len(ground.dataset.people), len(ground.dataset.catalog), len(ground.train)) == (290, 300, 6960)
    assert (len(ground.exposures), ground.exposures.left_out[KNOWN_PAIRS]) == (4274, 366)
    assert {"gender", "age", "location", "fashioninterest"} == {*ground.dataset.people.attributes[0]}
    assert all(arm.counts for arm in fit_arms(ground))


def test_a_short_examination_of_coat_finds_what_trivial_predictions_are_known_for():
    """Figures of the trivial predictions over all people, published with the data set's first use here."""
    changes = [f"truth.directory={coat()}", "truth.sessions=1", "truth.bootstrap=100", "truth.salts=[a]"]
    findings = examine(load_as(TruthConfig, SHIPPED, changes))
    rmse = {each.scorer: each.value for each in findings.records if each.metric == "rmse" and each.salt == "pooled"}
    assert rmse["item mean"] == pytest.approx(1.287, abs=0.06)
    assert rmse["user+item bias"] == pytest.approx(1.132, abs=0.06)
    assert rmse["feature regression"] == pytest.approx(1.057, abs=0.06)
