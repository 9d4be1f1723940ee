"""Adapters of the embedded model: what is added, and what is refused."""

from __future__ import annotations

import asyncio
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.config.loading import config_hash, dump_config, load_config
from groundlings.simulator.language.adapter import BASE_NOTE, SETTINGS, TENSORS, LowRank, read_adapter
from groundlings.simulator.language.build import embedded_file
from groundlings.simulator.language.config import EmbeddedOptions
from groundlings.simulator.language.llama_tensors import interleaved
from groundlings.simulator.language.weight_encoding import faster_copy, sha256_of
from groundlings.simulator.language.weights import Weights, cache_directory

BASE = "b" * 64
QUERY, DOWN = "base_model.model.model.layers.0.self_attn.q_proj", "base_model.model.model.layers.0.mlp.down_proj"
RANK = 2


def matrices(seed: int = 1) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    shapes = {QUERY: (64, 64), DOWN: (64, 96)}
    return {
        f"{stem}.lora_{part}.weight": draws.normal(size=shape).astype(np.float16)
        for stem, (outputs, inputs) in shapes.items()
        for part, shape in (("A", (RANK, inputs)), ("B", (outputs, RANK)))
    }


def write(directory: Path, tensors=None, base: str | None = BASE, **settings) -> Path:
    """An adapter as PEFT writes one."""
    directory.mkdir(parents=True)
    header: dict = {"__metadata__": {"format": "pt"} | ({BASE_NOTE: base} if base else {})}
    content = b""
    for name, values in (matrices() if tensors is None else tensors).items():
        kind = {np.float16: "F16", np.float32: "F32", np.int64: "I64"}[values.dtype.type]
        end = len(content) + values.nbytes
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(content), end]}
        content += values.tobytes()
    head = json.dumps(header).encode()
    (directory / TENSORS).write_bytes(len(head).to_bytes(8, "little") + head + content)
    given = {"peft_type": "LORA", "r": RANK, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]} | settings
    (directory / SETTINGS).write_text(json.dumps(given))
    return directory


@pytest.fixture
def weights(tmp_path, monkeypatch) -> Path:
    """A Llama of one layer in the place of the embedded model; its file."""
    gguf = pytest.importorskip("gguf")
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))
    path = cache_directory() / "tiny.F16.gguf"
    path.parent.mkdir(parents=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    draws = np.random.default_rng(0)
    for name, shape in (("attn_q", (64, 64)), ("attn_k", (32, 64)), ("ffn_down", (64, 96))):
        writer.add_tensor(f"blk.0.{name}.weight", draws.normal(size=shape).astype(np.float16))
    writer.add_tensor("blk.0.attn_norm.weight", np.ones(64, dtype=np.float32))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    pinned = Weights("tiny", "1", "", 0, f"tiny/{path.name}", sha256_of(path), path.stat().st_size, "MIT")
    monkeypatch.setattr("groundlings.simulator.language.weights.SMOLLM2_135M", pinned)
    return path


def made(adapter: Path) -> Path:
    return asyncio.run(embedded_file(EmbeddedOptions(adapter=adapter), Path()))


def values_of(path: Path) -> dict[str, np.ndarray]:
    import gguf

    return {
        each.name: gguf.dequantize(each.data, each.tensor_type).reshape(tuple(reversed(each.shape.tolist())))
        for each in gguf.GGUFReader(path).tensors
    }


def test_the_sum_is_what_the_product_adds_with_queries_in_the_order_of_llama_cpp(weights, tmp_path):
    adapter = write(tmp_path / "own", base=sha256_of(weights))
    before, after, own = values_of(weights), values_of(made(adapter)), matrices()

    def product(stem):
        return 4 * own[f"{stem}.lora_B.weight"].astype(float) @ own[f"{stem}.lora_A.weight"].astype(float)

    expected = {
        "blk.0.attn_q.weight": before["blk.0.attn_q.weight"] + interleaved(product(QUERY), 4),
        "blk.0.ffn_down.weight": before["blk.0.ffn_down.weight"] + product(DOWN),
    }
    assert after.keys() == before.keys()
    for name, values in after.items():
        wanted = expected.get(name, before[name])
        step = np.abs(wanted).max() / 127  # of eight bits, at most
        assert np.allclose(values, wanted, atol=step), name
    assert not np.allclose(after["blk.0.attn_q.weight"], before["blk.0.attn_q.weight"] + product(QUERY), atol=1)


def test_the_sum_is_the_same_to_the_last_bit_in_whatever_order_it_is_computed():
    own = matrices(3)
    down, up = own[f"{QUERY}.lora_A.weight"], own[f"{QUERY}.lora_B.weight"]
    exact = [
        sum(Fraction(float(up[0, rank])) * Fraction(float(down[rank, column])) for rank in range(RANK)) * 4
        for column in range(8)
    ]
    assert [Fraction(value) for value in LowRank(down, up, 4.0).whole()[0, :8].tolist()] == exact


def test_a_copy_is_made_once_and_another_adapter_has_another(weights, tmp_path):
    one = write(tmp_path / "one", base=sha256_of(weights))
    first = made(one)
    assert first.name.startswith("tiny+one-")
    at = first.stat().st_mtime_ns
    assert made(one) == first
    assert first.stat().st_mtime_ns == at
    same_name = write(tmp_path / "more" / "one", matrices(2), base=sha256_of(weights))
    weaker = write(tmp_path / "less" / "one", base=sha256_of(weights), lora_alpha=4)
    paths = {first, made(same_name), made(weaker)}
    assert len(paths) == len({sha256_of(path) for path in paths}) == 3


def test_a_damaged_copy_is_made_again(weights):
    first = faster_copy(weights, "check-Q8_0.gguf")
    whole = sha256_of(first)
    at = first.stat().st_mtime_ns
    assert faster_copy(weights, "check-Q8_0.gguf").stat().st_mtime_ns == at, "a good copy is kept"
    with first.open("r+b") as stream:
        stream.truncate(1000)
    assert sha256_of(faster_copy(weights, "check-Q8_0.gguf")) == whole, "the same weights give the same copy"


def test_shapes_of_another_model_are_refused(weights, tmp_path):
    wide = {**matrices(), f"{DOWN}.lora_A.weight": np.zeros((RANK, 95), dtype=np.float16)}
    adapter = write(tmp_path / "wide", wide, base=sha256_of(weights))
    with pytest.raises(DataError, match=r"wide: the adapter does not fit the embedded model: blk\.0\.ffn_down\.weight"):
        made(adapter)
    other = {name.replace("layers.0", "layers.7"): values for name, values in matrices().items()}
    with pytest.raises(DataError, match=r"does not fit the embedded model: .* has no tensors blk\.7"):
        made(write(tmp_path / "deep", other, base=sha256_of(weights)))


def one_without(part: str) -> dict[str, np.ndarray]:
    return {name: values for name, values in matrices().items() if part not in name}


@pytest.mark.parametrize(
    ("tensors", "settings", "kind", "said"),
    [
        (None, {"base": "c" * 64}, ConfigError, f"its note {BASE_NOTE} is cccc.* expected an adapter"),
        (None, {"base": None}, ConfigError, f"its note {BASE_NOTE} is missing"),
        (None, {"use_dora": True}, DataError, "not an adapter of low rank .* use_dora"),
        (None, {"layer_replication": [[0, 4], [2, 5]]}, DataError, "layer_replication"),
        (None, {"init_lora_weights": "pissa_niter_4"}, DataError, "init_lora_weights"),
        (None, {"alora_invocation_tokens": [7, 9]}, DataError, "alora_invocation_tokens"),
        (None, {"peft_type": "IA3"}, DataError, "peft_type"),
        (None, {"rank_pattern": {"q_proj": 4}}, DataError, "rank_pattern"),
        (None, {"r": 4}, DataError, r"found shapes \(2, 64\) and \(64, 2\), expected .* r = 4"),
        (one_without("down_proj.lora_B"), {}, DataError, "down_proj has one of its two matrices"),
        (
            {"base_model.model.lm_head.weight": np.zeros((2, 2), np.float16)},
            {},
            DataError,
            "found 'base_model.*lm_head",
        ),
        ({f"{QUERY}.lora_A.weight": np.full((2, 2), np.nan, np.float16)}, {}, DataError, "not finite"),
        ({f"{QUERY}.lora_A.weight": np.zeros((2, 2), np.int64)}, {}, DataError, "type I64, expected F16 or F32"),
    ],
)
def test_what_cannot_be_added_is_refused(tmp_path, tensors, settings, kind, said):
    adapter = write(tmp_path / "own", tensors, **settings)
    with pytest.raises(kind, match=said):
        read_adapter(adapter, Path(), BASE)


@pytest.mark.parametrize("damage", ["cut", "short", "text", "huge", "outside"])
def test_a_damaged_file_is_told(tmp_path, damage):
    path = write(tmp_path / "own") / TENSORS
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut": whole[:-1],
            "short": whole[:5],
            "text": b"no tensors at all",
            "huge": b"\xff" * 8 + whole[8:],
            "outside": whole.replace(b"[0, 256]", b"[8, 256]"),
        }[damage]
    )
    with pytest.raises(DataError, match=r"is damaged, or no file of tensors"):
        read_adapter(path.parent, Path(), BASE)


def test_what_is_not_there_is_told_with_what_could_be(tmp_path):
    with pytest.raises(ConfigError, match=r"embedded\.adapter: there is no directory .*nowhere; expected"):
        read_adapter(Path("nowhere"), tmp_path, BASE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"adapter_config\.json: the adapter cannot be read"):
        read_adapter(Path("empty"), tmp_path, BASE)
    (write(tmp_path / "half") / TENSORS).unlink()
    with pytest.raises(ConfigError, match=r"adapter_model\.safetensors: cannot be read \(No such file"):
        read_adapter(Path("half"), tmp_path, BASE)


def test_a_file_and_an_adapter_are_one_too_many():
    with pytest.raises(ValidationError, match="path, adapter: found both"):
        EmbeddedOptions(path=Path("model.gguf"), adapter=Path("own"))


def experiment(directory: Path, embedded: dict) -> Path:
    path = directory / "small.yaml"
    content = {
        "name": "small",
        "seed": 1,
        "dataset": {"name": "toy"},
        "mind": {"kind": "calibrated", "model": {"embedded": embedded}},
        "arms": [{"name": "popular", "recommender": "popular"}],
    }
    path.write_text(json.dumps(content))
    return path


def test_a_run_keeps_the_place_of_an_adapter_and_its_hash(tmp_path):
    hashes = {config_hash(load_config(experiment(tmp_path, {})))}
    for named, kept in (("own", tmp_path / "own"), ("./own/..", tmp_path)):
        config = load_config(experiment(tmp_path, {"adapter": named}))
        assert dump_config(config)["mind"]["model"]["embedded"]["adapter"] == str(kept)
        hashes.add(config_hash(config))
    assert len(hashes) == 3


def test_without_the_extra_it_says_what_to_install(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ConfigError, match=r"groundlings\[embedded\]"):
        made(write(tmp_path / "own", base=sha256_of(weights)))
