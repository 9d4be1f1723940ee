"""A trained model as a GGUF file for llama.cpp: the base file with its tensors exchanged.

Tokenizer, chat template and shape are the base file's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.errors import DataError
from groundlings.simulator.language.llama_tensors import gguf_name, in_order_of_gguf
from groundlings.simulator.language.weight_encoding import reencode_as_q8


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
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, values in model.state_dict().items():
        if name.startswith("lm_head") and config.tie_word_embeddings:
            continue
        there = gguf_name(name)
        array = values.detach().float().cpu().numpy()
        tensors[there] = in_order_of_gguf(there, array, config.num_attention_heads, config.num_key_value_heads)
    reencode_as_q8(base, target, tensors)
