"""`groundlings datasets list | fetch | show`."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.cli.datasets import app


def invoke(*words: str):
    return CliRunner().invoke(app, list(words), terminal_width=200, env={"COLUMNS": "200", "GROUNDLINGS_OFFLINE": "1"})


def test_list_names_every_data_set_and_its_terms():
    result = invoke("list")
    assert result.exit_code == 0
    for word in ("ml-100k", "ml-1m", "toy", "own", "943 users", "no commercial use"):
        assert word in result.output


def test_fetch_says_what_is_ready():
    result = invoke("fetch", "toy")
    assert result.exit_code == 0
    assert "toy: ready, 60 users, 80 items, 1,200 interactions" in result.output


def test_show_prints_counts_ratings_terms_and_examples():
    from groundlings.environments.datasets import DatasetConfig, load_dataset

    result = invoke("show", "toy")
    dataset = load_dataset(DatasetConfig(name="toy"))
    assert result.exit_code == 0
    for word in ("60 users", "2020-01-01", dataset.fingerprint, "genre 1, genre 2", "u1", "Toy 1", "favourite_genre"):
        assert word in result.output
    for stars in dataset.scale.values:
        assert f"{stars:g} " in result.output
        assert str(int((dataset.interactions.ratings == stars).sum())) in result.output
    assert "none" not in result.output  # every toy interaction is rated


def test_a_misspelt_name_reaches_the_top_level():
    result = invoke("show", "ml100k")
    assert isinstance(result.exception, ConfigError)
    assert "did you mean 'ml-100k'" in str(result.exception)


def test_missing_data_reaches_the_top_level(tmp_path):
    result = invoke("fetch", "ml-100k", "--directory", str(tmp_path))
    assert isinstance(result.exception, DataError)
    assert str(tmp_path) in str(result.exception)


@pytest.mark.parametrize("words", [("show",), ("fetch",), ("show", "toy", "extra")])
def test_a_missing_or_extra_word_is_a_usage_error(words):
    assert invoke(*words).exit_code == 2
