"""Tensors of the Llama family as transformers has them and as llama.cpp has them: other names, and other rows.

llama.cpp rotates neighbouring pairs of the rows of query and key where transformers rotates the two halves of a head,
so these rows change places, as in llama.cpp's converter.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.errors import DataError

Number = TypeVar("Number", np.float32, np.float64)

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


def gguf_name(name: str) -> str:
    """What llama.cpp calls a tensor that transformers calls `name`.

    Raises:
        DataError: Models of the Llama family have no such tensor.
    """
    stem, _, kind = name.rpartition(".")
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.{kind}"
    layer, _, part = stem.removeprefix("model.layers.").partition(".")
    if part not in _LAYER:
        raise DataError(f"found a tensor {name!r}, which models of the Llama family do not have")
    return f"blk.{layer}.{_LAYER[part]}.{kind}"


def in_order_of_gguf(name: str, values: NDArray[Number], heads: int, key_heads: int) -> NDArray[Number]:
    """The values of a tensor with its rows in llama.cpp's order, shape as `values`.

    Args:
        name: As llama.cpp calls the tensor.
        values: In the order of transformers.
        heads, key_heads: Heads of queries, and of keys.
    """
    if name.endswith("attn_q.weight"):
        return interleaved(values, heads)
    return interleaved(values, key_heads) if name.endswith("attn_k.weight") else values


def interleaved(values: NDArray[Number], heads: int) -> NDArray[Number]:
    """Rows of each head with the two halves taken in turn, shape as `values`, (heads * head_size, width)."""
    halves = values.reshape(heads, 2, len(values) // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
