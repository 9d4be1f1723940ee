"""Values that no key may take: numbers that are none, and paths at which nothing can lie."""

from __future__ import annotations

import io
import pwd
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from groundlings.environments import paths
from groundlings.environments.datasets.archives import cache_directory
from groundlings.environments.errors import ConfigError, DataError, RunWarning
from groundlings.environments.patterns import IN_WORDS
from groundlings.experiments.cli.exposures import as_changes
from groundlings.experiments.config import yaml_reading
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.past_tests.tests_file import read_tests
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.labs.warmup.config import WarmupConfig
from groundlings.experiments.running.calibration import cache_directory as calibration_cache
from groundlings.experiments.running.identity import files_named
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.terminal import say_yaml
from groundlings.simulator.language.weights import cache_directory as weight_cache

FILES = (ExperimentConfig, FidelityConfig, TruthConfig, WarmupConfig)
NOBODY = "~nobody-of-that-name/x.json"

EXPERIMENT: dict[str, Any] = {
    "name": "odd",
    "seed": 1,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 12, "interactions_per_user": 4}},
    "mind": {"kind": "behavioural"},
    "arms": [{"name": "popular", "recommender": "popular"}],
}


def sections(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for inner in _within(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from sections(inner, seen)


def _within(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _within(argument)


SECTIONS = [section for seen in [set[type[BaseModel]]()] for kind in FILES for section in sections(kind, seen)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_no_section_takes_numbers_that_are_none_or_paths_where_nothing_can_lie(section):
    assert section.model_config.get("allow_inf_nan") is False
    bare = [
        name
        for name, field in section.model_fields.items()
        if field.annotation in (Path, Path | None) and not field.exclude and not _is_usable(field.metadata)
    ]
    assert not bare, "write NamedPath"


def test_texts_are_held_to_patterns_that_messages_have_words_for(tmp_path):
    with pytest.raises(ConfigError, match=r"name: expected letters \(a to z\), digits, .*, found 'my run'"):
        load_config(written(tmp_path, name="my run"))
    patterns = {
        limit.pattern
        for section in SECTIONS
        for field in section.model_fields.values()
        for limit in field.metadata
        if getattr(limit, "pattern", None) is not None
    }
    assert set() < patterns <= IN_WORDS.keys()


def _is_usable(metadata: list[Any]) -> bool:
    return any(getattr(each, "func", None) is paths.at_home for each in metadata)


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "odd.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, **changes}))
    return path


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "changes",
    [
        lambda number: {"simulation": {"returns": {"after_session": {"found": number}}}},
        lambda number: {"simulation": {"returns": {"kind": "stated", "median_days": number}}},
        lambda number: {"mind": {"kind": "behavioural", "patience": number}},
        lambda number: {"plan": {"primary": "view_ratio", "utility": "units", "objectives": [
            {"metric": "view_ratio", "role": "primary", "weight": number}]}},
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_refused_in_a_file(tmp_path, changes, number):
    with pytest.raises(ConfigError, match=r"finite number|expected more than"):
        load_config(written(tmp_path, **changes(number)))


@pytest.mark.parametrize(("key", "number"), [("weight", 1e300), ("weight", 1e-300), ("alpha", 1e-300)])
def test_a_number_of_a_plan_beyond_what_can_be_reckoned_with_is_refused(tmp_path, key, number):
    given = {"weight": 1, "alpha": 0.05, key: number}
    objective = {"metric": "view_ratio", "role": "primary", "weight": given["weight"]}
    plan = {"primary": "view_ratio", "utility": "units", "objectives": [objective], "alpha": given["alpha"]}
    with pytest.raises(ConfigError, match=rf"{key}: expected [\d.]+ or (more|less), found {re.escape(f'{number:g}')}"):
        load_config(written(tmp_path, plan=plan))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {yaml_reading.parse("2024-01-31"): 1}])
def test_a_number_that_is_none_is_refused_among_options(tmp_path, value):
    options = {"of": {"recommender": "popular"}, "epsilon": value}
    config = load_config(written(tmp_path, arms=[{"name": "a", "recommender": "epsilon_slots", "options": options}]))
    with pytest.raises(ConfigError, match=r"arms\[0\].options.epsilon: found .*; expected finite numbers"):
        build_plan(config)


def test_keys_of_options_may_be_numbers(tmp_path):
    (tmp_path / "x").write_text("1")
    assert dict(files_named({"weights": {1: "x"}}, tmp_path)) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"simulation": {"returns": {"kind": "exposures", "exposures": NOBODY}}},
        {"mind": {"kind": "behavioural", "exposures": NOBODY}},
        {"mind": {"kind": "calibrated", "calibration": NOBODY}},
        {"groups": {"items": [{"name": "g", "path": NOBODY, "item": "i", "group": "g"}]}},
    ],
)
def test_the_home_of_nobody_is_refused_where_it_is_written(tmp_path, changes):
    with pytest.raises(ConfigError, match="nobody's home here"):
        load_config(written(tmp_path, **changes))


def test_the_home_of_nobody_is_refused_in_a_table_of_past_tests(tmp_path):
    path = tmp_path / "tests.csv"
    path.write_text(f"experiment,arm,metric,effect,standard_error,run\ne,a,m,0.1,0.05,\ne,b,m,0.1,0.05,{NOBODY}\n")
    path.write_text(path.read_text().replace("0.05,\n", "0.05,runs/a\n"))
    with pytest.raises(DataError, match=r"tests.csv, line 3: column 'run': .* is nobody's home here"):
        read_tests(path, {}, "relative")


def test_the_home_of_nobody_is_refused_on_the_command_line():
    with pytest.raises(ConfigError, match=r"--exposures: found .* is nobody's home here"):
        as_changes(Path(NOBODY), [])


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("GROUNDLINGS_DATA", cache_directory),
        ("GROUNDLINGS_CACHE", weight_cache),
        ("GROUNDLINGS_CACHE", calibration_cache),
    ],
)
def test_a_variable_that_names_the_home_of_nobody_is_named(monkeypatch, variable, place):
    monkeypatch.setenv(variable, NOBODY)
    with pytest.raises(ConfigError, match=f"{variable}: found '{NOBODY}'; .* is nobody's home here"):
        place()


def test_an_account_without_a_home_gets_no_directory_called_tilde(monkeypatch, tmp_path):
    def nobody(_uid: int) -> Any:
        raise KeyError

    for variable in ("HOME", "XDG_CACHE_HOME", "GROUNDLINGS_DATA", "GROUNDLINGS_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.chdir(tmp_path)
    paths._of_this_process.cache_clear()
    with pytest.warns(RunWarning, match="no home directory, so nothing is kept between runs; name a directory with"):
        places = [cache_directory(), weight_cache()]
    assert all(place.is_absolute() and "~" not in place.parts for place in places)
    assert not list(tmp_path.iterdir())
    paths._of_this_process.cache_clear()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(
    st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=2), min_size=1, max_size=3),
    st.sampled_from(["utf-8", "ascii", "cp1252"]),
)
def test_printed_yaml_reads_back_as_the_same_value_on_every_stream(value, encoding):
    stream, usual = io.BytesIO(), sys.stdout
    sys.stdout = io.TextIOWrapper(stream, encoding=encoding, newline="")
    try:
        say_yaml(value, comments=["a doubt\nin two lines"])
        sys.stdout.flush()
        said = stream.getvalue().decode(encoding)
    finally:
        sys.stdout = usual
    assert yaml_reading.parse(said) == value
    assert not set("\x1b\u202e\u200b\ufeff") & set(said)


@pytest.mark.parametrize("key", ["ties", "agent_notes", "fitted", "path"])
def test_a_file_of_a_mind_counts_whatever_its_name_is(tmp_path, key):
    (tmp_path / "friends").write_text("a,b")
    assert [name for name, _ in files_named({key: "friends"}, tmp_path)] == [key]
