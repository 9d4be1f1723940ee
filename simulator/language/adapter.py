"""Adapters of the embedded model: what a training changed, as matrices of low rank, added to its weights once.

An adapter is a directory as PEFT writes one (LoRA, Hu et al. 2022), so that PEFT reads it too. For llama.cpp the sum

    weights + lora_alpha / r * B @ A

is written as a GGUF file of its own and kept in the cache. It is computed in float64: products of float16 numbers are
exact there, so the file, and with it the model's fingerprint, is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.fitted_files import read_fitted
from groundlings.simulator.language.llama_tensors import gguf_name, in_order_of_gguf
from groundlings.simulator.language.safetensors_file import read_tensors
from groundlings.simulator.language.weight_encoding import faster_copy, gguf_library, sha256_of

TENSORS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
"""Files of an adapter, by PEFT's names."""

BASE_NOTE = "base_sha256"
"""The note in the file of tensors that says to which weights they are to be added."""

_LONGEST_NAME = 100

_PEFT, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


class _Settings(BaseModel):
    """What PEFT says of an adapter, as far as it decides about the sum; other variants of LoRA are refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    peft_type: Literal["LORA"]
    r: int = Field(ge=1)
    lora_alpha: float = Field(gt=0, allow_inf_nan=False)
    bias: Literal["none"] = "none"
    use_dora: Literal[False] = False
    use_rslora: Literal[False] = False
    use_qalora: Literal[False] = False
    use_bdlora: None = None
    lora_bias: Literal[False] = False
    fan_in_fan_out: Literal[False] = False
    init_lora_weights: bool | Literal["gaussian", "eva"] = True
    """Other beginnings (PiSSA, OLoRA, CorDA, LoftQ) change the weights, so the sum would need those that they left."""
    layer_replication: None = None
    alora_invocation_tokens: None = None
    arrow_config: None = None
    kasa_config: None = None
    monteclora_config: None = None
    target_parameters: None = None
    modules_to_save: None = None
    rank_pattern: dict[str, Any] = Field(default={}, max_length=0)
    alpha_pattern: dict[str, Any] = Field(default={}, max_length=0)


@dataclass(frozen=True, slots=True)
class LowRank:
    """One matrix of an adapter.

    Attributes:
        down: A, shape (r, inputs).
        up: B, shape (outputs, r).
        scale: Of the product.
    """

    down: NDArray[Any]
    up: NDArray[Any]
    scale: float

    def whole(self) -> NDArray[np.float64]:
        """What is added to the weights, shape (outputs, inputs)."""
        return self.scale * (self.up.astype(np.float64) @ self.down.astype(np.float64))


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter that was read and checked.

    Attributes:
        directory: Where it lies.
        sha256: Over its tensors and settings, in hexadecimal.
        matrices: Name of the weights, as llama.cpp has it -> what is added to them.
    """

    directory: Path
    sha256: str
    matrices: Mapping[str, LowRank]


def _find(named: Path, base: Path) -> Path:
    directory = base / named
    if not directory.is_dir():
        raise ConfigError(
            f"embedded.adapter: there is no directory {directory}; expected that of an adapter ({SETTINGS}, {TENSORS}) "
            "as `groundlings train-mind` writes it"
        )
    return directory.resolve()


def read_adapter(named: Path, base: Path, base_sha256: str) -> Adapter:
    """The adapter of a directory.

    Args:
        named: The directory.
        base: Where a relative directory starts.
        base_sha256: Of the weights that it is to be added to.

    Raises:
        ConfigError: There is none, a file is missing, or it belongs to other weights.
        DataError: It is damaged, or of a kind that cannot be added here.
    """
    directory, made_by = _find(named, base), "groundlings train-mind CONFIG"
    settings = read_fitted(
        directory / SETTINGS, _Settings, what="the adapter", file="an adapter of low rank (LoRA)", command=made_by
    )
    path = directory / TENSORS
    tensors, sha256 = read_tensors(path), sha256_of(path)
    found = tensors.notes.get(BASE_NOTE, "missing")
    if found != base_sha256:
        raise ConfigError(
            f"{path}: its note {BASE_NOTE} is {found}, and the embedded model's weights have {base_sha256}; expected "
            f"an adapter that `{made_by}` trained on the embedded model. Add any other to its own model, and name the "
            "GGUF file (embedded.path)"
        )
    matrices = {}
    for name in tensors.values:
        if not name.startswith(_PEFT) or not name.endswith((_DOWN, _UP)):
            raise DataError(f"{path}: found {name!r}, expected names {_PEFT}...{_DOWN} and {_PEFT}...{_UP} alone")
        stem = name.removeprefix(_PEFT).removesuffix(_DOWN).removesuffix(_UP)
        pair = [tensors.values.get(f"{_PEFT}{stem}{part}") for part in (_DOWN, _UP)]
        matrices[gguf_name(f"{stem}.weight")] = _low_rank(path, stem, pair, settings)
    digest = hashlib.sha256(f"{sha256} {settings.lora_alpha / settings.r}".encode()).hexdigest()
    return Adapter(directory, digest, matrices)


def _low_rank(path: Path, stem: str, pair: list[NDArray[Any] | None], settings: _Settings) -> LowRank:
    down, up = pair
    if down is None or up is None:
        raise DataError(f"{path}: {stem} has one of its two matrices; expected {_DOWN[1:]} and {_UP[1:]}")
    rank = settings.r
    if down.ndim != 2 or up.ndim != 2 or len(down) != rank or up.shape[1] != rank:
        raise DataError(
            f"{path}: {stem}: found shapes {down.shape} and {up.shape}, expected (r, inputs) and (outputs, r) with "
            f"r = {rank}, as {SETTINGS} says"
        )
    return LowRank(down, up, settings.lora_alpha / rank)


def adapted_copy(source: Path, adapter: Adapter) -> Path:
    """The GGUF file of some weights with an adapter added, as Q8_0, kept beside them.

    Args:
        source: The checked GGUF file of the weights.
        adapter: What is added.

    Raises:
        ConfigError: The extra is not installed.
        DataError: The adapter does not fit the weights.
    """
    model = source.stem.rpartition(".")[0] or source.stem  # without the encoding, which is another in the copy
    name = f"{model}+{adapter.directory.name[:_LONGEST_NAME]}-{adapter.sha256[:8]}.Q8_0.gguf"
    try:
        return faster_copy(source, name, partial(_additions, source, adapter))
    except ValueError as fault:
        raise DataError(f"{adapter.directory}: the adapter does not fit the embedded model: {fault}") from None


def _additions(source: Path, adapter: Adapter) -> Mapping[str, Callable[[], NDArray[np.float64]]]:
    """Name of each changed tensor -> what is added to it, computed when it is asked for."""
    fields = gguf_library().GGUFReader(source).fields
    heads = [fields[f"llama.attention.{key}"].contents() for key in ("head_count", "head_count_kv")]

    def added(name: str, matrix: LowRank) -> NDArray[np.float64]:
        return in_order_of_gguf(name, matrix.whole(), *heads)

    return {name: partial(added, name, matrix) for name, matrix in adapter.matrices.items()}
