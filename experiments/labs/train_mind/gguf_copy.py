"""A trained model as a GGUF file for llama.cpp: the base file with its tensors exchanged.

Tokenizer, chat template and shape are the base file's own. llama.cpp rotates neighbouring pairs of the rows of query
and key where transformers rotates the two halves of a head, so these rows change places, as in llama.cpp's converter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.errors import DataError
from groundlings.simulator.language.weight_encoding import reencode_as_q8

_ROTATED = ("attn_q.weight", "attn_k.weight")
_LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(model: Any, base: Path, target: Path) -> None:
    """Write a trained model of the Llama family in the form of the GGUF file it was read from, as Q8_0.

    Args:
        model: As transformers has it, adapters merged.
        base: The file.
        target: Where to write.

    Raises:
        DataError: The model is of another family.
    """
    config = model.config
    if config.model_type != "llama":
        raise DataError(
            f"found a model of the family {config.model_type!r}, expected 'llama' for a GGUF copy; serve the model's "
            "directory with vLLM, or convert it with llama.cpp"
        )
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, values in model.state_dict().items():
        if name.startswith("lm_head") and config.tie_word_embeddings:
            continue
        there = gguf_name(name)
        array = values.detach().float().cpu().numpy()
        if there.endswith(_ROTATED):
            array = interleaved(array, heads[there.split(".")[-2]])
        tensors[there] = array
    reencode_as_q8(base, target, tensors)


def gguf_name(name: str) -> str:
    """What llama.cpp calls a tensor that transformers calls `name`."""
    stem, _, kind = name.rpartition(".")
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.{kind}"
    layer, _, part = stem.removeprefix("model.layers.").partition(".")
    if part not in _LAYER:
        raise DataError(f"found a tensor {name!r}, which models of the Llama family do not have")
    return f"blk.{layer}.{_LAYER[part]}.{kind}"


def interleaved(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of each head with the two halves taken in turn, shape as `values`, (heads * head_size, width)."""
    halves = values.reshape(heads, 2, len(values) // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
