from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError
from groundlings.experiments import config as package
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.yaml_reading import parse

CONFIGS = sorted((Path(package.__file__).resolve().parents[1] / "configs").glob("*.yaml"))
PLAIN = "name: plain\nseed: {}\ndataset: toy\nmind: scripted\narms: [{{name: a, recommender: popular}}]\n"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_files_say_what_they_said_by_the_rules_of_before(path):
    text = path.read_text(encoding="utf-8")
    assert parse(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3", -3), ("+4", 4), ("0", 0), ("010", "010"), ("08", "08"), ("0x1F", 31), ("50_000", 50_000),
        ("1:30", "1:30"), ("1:30.5", "1:30.5"), ("-190:20:30", "-190:20:30"),
        ("1.5", 1.5), (".5", 0.5), ("1.0e+5", 1e5),
        ("yes", True), ("null", None), ("'12'", "12"),
    ],
)  # fmt: skip
def test_whole_numbers_are_those_of_yaml_1_2_and_ids_keep_their_zeros(text, value):
    found = parse(f"key: {text}")["key"]
    assert (found, type(found)) == (value, type(value))


@given(st.one_of(st.integers(), st.floats(), st.text(), st.text("0123456789:._xoeE+-"), st.booleans(), st.none()))
def test_what_was_dumped_by_the_rules_of_before_reads_the_same(value):
    dumped = yaml.safe_dump({"key": value}, allow_unicode=True)
    found, known = parse(dumped)["key"], yaml.safe_load(dumped)["key"]
    assert (repr(found), type(found)) == (repr(known), type(known))


@pytest.mark.parametrize(
    ("seed", "parts"),
    [
        ("1:30", ["plain.yaml:2", "seed", "'1:30'"]),
        ("1:" + "59:" * 300_000 + "59", ["plain.yaml:2", "900,004 characters", "100,000 at most"]),
        ("1:" + "59:" * 20_000 + "59", ["plain.yaml:2", "seed"]),
        ("1" * 1_100_000, ["found more than 1,048,576 bytes, expected 1,048,576 at most"]),
        ("1" * 5000, ["plain.yaml:2", "5,000 digits"]),
        ("2024-02-31", ["plain.yaml:2", "day is out of range for month"]),
        ("!!bool x", ["plain.yaml:2", "a value that is no bool"]),
        ("!!timestamp x", ["plain.yaml:2", "a value that is no timestamp"]),
        ("!!float ''", ["plain.yaml:2", "a value that is no float"]),
    ],
    ids=["sexagesimal", "long", "long enough", "file", "digits", "day", "bool", "timestamp", "float"],
)
def test_numbers_of_another_age_and_values_without_end_are_refused_by_name(tmp_path, seed, parts):
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN.format(seed), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert all(part in str(error.value) for part in parts), str(error.value)[:500]


def test_text_that_yaml_takes_for_something_else_is_to_be_quoted(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN.format(1).replace("plain", "no"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"name: expected text, found False; put text .* into quotation marks"):
        load_config(path)


def test_a_value_of_the_command_line_is_read_by_the_same_rules(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN.format(1), encoding="utf-8")
    assert load_config(path, ["seed=010"]).seed == 10
    with pytest.raises(ConfigError, match="seed"):
        load_config(path, ["seed=1:30"])
