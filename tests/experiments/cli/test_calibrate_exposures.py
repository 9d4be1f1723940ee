"""`groundlings calibrate CONFIG --exposures LOG`: from one's own log to a file that a mind reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.special import expit

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.exposures import ExposuresConfig, load_exposures
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.split import split_history
from groundlings.environments.split import test_people as held_out_people
from groundlings.experiments.cli.calibrate import calibrate
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.reference import reference
from groundlings.experiments.running.exposures import exposures_warning
from groundlings.experiments.running.plan import build_plan
from groundlings.personas.exposure.calibration import read_exposure_calibration
from groundlings.personas.exposure.presets import EXIT, LEVEL, POSITION, REPEAT

ROOT = Path(__file__).parents[3]
SIZE = {"n_users": 90, "n_items": 60, "interactions_per_user": 15}
NAMES = "user=who,item=what,list=page_id,session=visit,position=place,opened=hit,timestamp=at"


@pytest.fixture(scope="module")
def toy():
    return make_toy(ToyOptions(**SIZE))


@pytest.fixture(scope="module")
def log(toy, tmp_path_factory) -> Path:
    """Two pages of ten random items for each person, after their history; what lies high is opened more often."""
    rng = np.random.default_rng(1)
    train = split_history(toy.interactions, "per_user_temporal", 0.2).train
    start = int(toy.interactions.timestamps.max()) + 1
    lines = ["who,what,page_id,visit,place,hit,at"]
    for user, name in enumerate(toy.people.user_ids):
        unmet = np.flatnonzero(train.matrix[[user]].toarray()[0] == 0)
        for page in range(2):
            for place, item in enumerate(rng.choice(unmet, 10, replace=False), start=1):
                hit = int(rng.random() < expit(0.0) * place**-0.8)
                page_id = f"{name}-{page}"
                cells = (name, toy.catalog.item_ids[item], page_id, f"v-{name}", place, hit, start + page)
                lines.append(",".join(map(str, cells)))
    path = tmp_path_factory.mktemp("log") / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def experiment(folder: Path, **sections) -> Path:
    path = folder / "small.yaml"
    content = {
        "name": "small", "seed": 3, "dataset": {"name": "toy", "toy": SIZE}, "mind": "behavioural",
        "arms": [{"name": "popular", "recommender": "popular"}], **sections,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_log_becomes_a_file_that_minds_read(tmp_path, log, capsys):
    out = tmp_path / "exposures.json"
    calibrate(experiment(tmp_path), log, [NAMES], out, ["exposures.policy=random", "exposures.last_page=3"])
    printed, found = capsys.readouterr().out, read_exposure_calibration(out)
    assert found.position.exponent.value == pytest.approx(0.8, abs=0.2)
    assert found.level.low <= 0.5 <= found.level.high
    assert found.utility.weights.keys() == {"appeal", "liking", "popularity"}
    assert all(weight.fitted for weight in found.utility.weights.values())
    assert found.counts.people + found.counts.held_out_people == 90
    assert found.utility.gains
    assert f"{found.position.exponent.value:.3f}" in printed
    assert found.sha256 in printed
    assert "like_level, liking.intercept" in printed, "what could not be identified is named"
    assert "no column says how many stars the shown items got" in printed
    mind = build_plan(load_config(experiment(tmp_path, mind={"kind": "behavioural", "exposures": str(out)}))).mind()
    assert mind.parameters.exponent == found.position.exponent.value


def test_a_layout_that_the_log_had_is_the_minds(tmp_path, log):
    calibrate(experiment(tmp_path), log, [NAMES], out := tmp_path / "out.json", ["exposures.shape=flat"])
    mind = build_plan(load_config(experiment(tmp_path, mind={"kind": "behavioural", "exposures": str(out)}))).mind()
    assert mind.parameters.look(3).tolist() == [1, 1, 1]


def test_the_section_of_the_file_says_the_same_as_the_options(tmp_path, log):
    section = dict(pair.split("=") for pair in NAMES.split(",")) | {"path": str(log), "policy": "random"}
    calibrate(experiment(tmp_path, exposures=section), out=tmp_path / "a.json")
    calibrate(experiment(tmp_path), log, NAMES.split(","), tmp_path / "b.json", ["exposures.policy=random"])
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_a_logged_policy_without_propensities_leaves_the_level_a_preset(tmp_path, log):
    calibrate(experiment(tmp_path), log, [NAMES], tmp_path / "out.json")
    found = read_exposure_calibration(tmp_path / "out.json")
    assert found.level.value == LEVEL.value
    assert "no propensities say how it chose" in found.level.note
    assert found.position.exponent.fitted, "items stand at several positions"


def test_a_log_whose_opens_are_the_history_fits_no_utility(tmp_path, toy):
    train = split_history(toy.interactions, "per_user_temporal", 0.2).train
    rows = [
        f"{toy.people.user_ids[u]},{toy.catalog.item_ids[i]},1" for u, i in zip(train.users, train.items, strict=True)
    ]
    unmet = np.argwhere(train.matrix.toarray() == 0)[::3]
    rows += [f"{toy.people.user_ids[u]},{toy.catalog.item_ids[i]},0" for u, i in unmet]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user,item,opened", *rows]) + "\n")
    calibrate(experiment(tmp_path), path, ["opened=opened"], tmp_path / "out.json")
    found = read_exposure_calibration(tmp_path / "out.json").utility
    assert not found.intercept.fitted
    assert "taste would know the outcome" in found.intercept.note


def test_features_are_of_the_interactions_before_the_log(tmp_path, log, toy):
    first = int(toy.interactions.timestamps.min())
    header, *lines = log.read_text().splitlines()
    path = tmp_path / "early.csv"
    path.write_text("\n".join([header, *(line.rpartition(",")[0] + f",{first}" for line in lines)]) + "\n")
    calibrate(experiment(tmp_path), path, [NAMES], tmp_path / "out.json")
    found = read_exposure_calibration(tmp_path / "out.json").utility
    assert not found.intercept.fitted
    assert "only 0% of the 90 people in the log have training interactions before its first row" in found.intercept.note


@pytest.mark.parametrize("columns", ["who", "person=who", "user="])
def test_columns_that_are_no_pairs_are_refused(tmp_path, log, columns):
    with pytest.raises(ConfigError, match="expected KEY=COLUMN with a key of user, item"):
        calibrate(experiment(tmp_path), log, [columns])


def test_without_a_log_or_a_language_model_there_is_nothing_to_fit(tmp_path):
    with pytest.raises(ConfigError, match="nothing to fit"):
        calibrate(experiment(tmp_path))


def test_people_who_are_all_held_out_are_an_error_with_a_way_on(tmp_path, log, toy):
    ids = toy.people.user_ids
    nobody_fits_on = ids[int(np.flatnonzero(held_out_people(ids, "groundlings"))[0])]
    header, *lines = log.read_text().splitlines()
    path = tmp_path / "few.csv"
    path.write_text("\n".join([header, *(line for line in lines if line.startswith(f"{nobody_fits_on},"))]) + "\n")
    with pytest.raises(DataError, match=r"exposures\.hold_out: false"):
        calibrate(experiment(tmp_path), path, [NAMES])


def test_the_reference_documents_the_section():
    assert "## `exposures`" in reference()


def test_a_log_that_runs_do_not_read_is_no_part_of_what_they_are(tmp_path, log):
    plain = config_hash(load_config(experiment(tmp_path)))
    assert config_hash(load_config(experiment(tmp_path, exposures={"path": str(log)}))) == plain


def test_the_example_of_the_page_is_read_as_it_stands(tmp_path):
    page = (ROOT / "docs" / "exposures.md").read_text()
    (table,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    section = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])["exposures"]
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shown.csv").write_text(table)
    people = People(("c7", "c8"), ({}, {}))
    catalog = Catalog(("a3", "a4", "a9"), ("x", "y", "z"), np.full(3, np.nan), ((),) * 3)
    nothing = np.zeros(0, dtype=np.int64)
    history = Interactions.of(nothing, nothing, None, nothing, n_users=2, n_items=3)
    dataset = Dataset("shop", catalog, people, history, RatingScale(), "a test", "none")
    table = load_exposures(ExposuresConfig.model_validate(section), tmp_path, dataset)
    assert table.pages.tolist() == [1, 1, 2, 2, 1]
    assert {"position", "opened", "repeat", "exit"}.isdisjoint(table.unidentified())


def test_the_page_tells_every_preset_as_it_is():
    page = (ROOT / "docs" / "exposures.md").read_text()
    exit_preset = EXIT["flat"].hazard
    for preset in (POSITION["list"].exponent, exit_preset):
        told = f"{preset.value:.2f} [{preset.low:.2f}, {preset.high:.2f}]".replace("0.", ".")
        assert told in page
    assert f"| level | {LEVEL.value:.2f}, other platforms {LEVEL.low} to {LEVEL.high} |".replace("0.", ".") in page
    assert f"| repeat | {REPEAT.value} log-odds |".replace("0.", ".") in page


def test_check_says_that_a_file_is_of_other_data_and_no_missing_weight_is_a_zero(tmp_path, log):
    calibrate(experiment(tmp_path), log, [NAMES], out := tmp_path / "out.json", ["exposures.policy=random"])
    mind = {"kind": "behavioural", "exposures": str(out)}
    assert exposures_warning(build_plan(load_config(experiment(tmp_path, mind=mind)))) is None
    other = {"name": "toy", "toy": {**SIZE, "n_items": 61}}
    said = exposures_warning(build_plan(load_config(experiment(tmp_path, mind=mind, dataset=other))))
    assert said is not None
    assert "mind.exposures was fitted on other data" in said
    content = json.loads(out.read_text())
    del content["utility"]["weights"]["liking"]
    out.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"weighs appeal, popularity; this version knows appeal, liking"):
        build_plan(load_config(experiment(tmp_path, mind=mind))).mind()


def test_people_come_back_by_the_daily_chance_of_the_file_and_a_preset_is_called_one(tmp_path, log):
    out = tmp_path / "exposures.json"
    calibrate(experiment(tmp_path), log, [NAMES], out, ["exposures.policy=random"])
    simulation = {"days": 3, "returns": {"kind": "exposures", "exposures": "exposures.json", "churn": {"chance": 0.1}}}
    plan = build_plan(load_config(experiment(tmp_path, simulation=simulation)))
    read = read_exposure_calibration(out)
    assert plan.returns.exposures_hash == read.sha256
    assert plan.returns.described["daily"]["value"] == read.returns.daily.value
    assert read.returns.daily.origin == "preset", "the log holds one moment per person"
    assert any(f"a preset: {read.returns.daily.note}" in line for line in plan.returns.lines)


def test_what_was_fitted_takes_the_place_of_an_earlier_calibration_and_of_no_other_file(tmp_path, log):
    file, mine = experiment(tmp_path), tmp_path / "log.csv"
    mine.write_text(log.read_text())
    for taken in (file, mine, tmp_path):
        before = taken.read_bytes() if taken.is_file() else b""
        with pytest.raises(ConfigError, match=r"is there already, and is no calibration|is a directory; expected"):
            calibrate(file, mine, [NAMES], taken)
        assert not before or taken.read_bytes() == before
    for _ in range(2):
        calibrate(file, mine, [NAMES], tmp_path / "out.json")
    assert read_exposure_calibration(tmp_path / "out.json").counts.people
