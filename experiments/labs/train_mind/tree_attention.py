"""Attention over a tree of tokens: the beginning sees itself, and each branch the beginning and itself.

Under a mask for the whole row, attention would compare every branch with every other and throw the result away, which
took half of the time of a training. Here branches are a batch: each is compared with the beginning and with itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from groundlings.experiments.labs.train_mind.token_trees import Row

NAME = "groundlings_tree"
"""Of this attention among those of transformers."""


class TreePlaces:
    """Where the tokens of a row lie, on the device of a model."""

    def __init__(self, row: Row, device: torch.device) -> None:
        self.beginning = row.beginning
        self.branches = torch.from_numpy(row.branches).to(device)
        self.filled = torch.from_numpy(row.filled).to(device)
        # Column c of the mask is a token of the beginning, or token c - beginning of the own branch. What fills up a
        # short branch lies after all of its tokens, so no token sees it.
        longest = row.branches.shape[1]
        own = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
        self.seen = torch.cat([own.new_ones(longest, row.beginning), own], dim=1)


def tree_attention(
    _module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    places: TreePlaces | None = None,
    **_others: Any,
) -> tuple[Tensor, None]:
    """What transformers asks of an attention, for one row; without `places` the row is plain text.

    Args:
        query: Shape (1, n_heads, n, size).
        key, value: Shape (1, n_key_heads, n, size).
        attention_mask: None, since `places` say who sees whom.
        scaling: Of the products.
        places: Where beginning and branches lie.

    Returns:
        Shape (1, n, n_heads, size).
    """
    del attention_mask
    groups = query.shape[1] // key.shape[1]
    cut = query.shape[2] if places is None else places.beginning
    found = []
    if cut:
        keys, values = (each.repeat_interleave(groups, dim=1)[:, :, :cut] for each in (key, value))
        found.append(scaled_dot_product_attention(query[:, :, :cut], keys, values, is_causal=True, scale=scaling)[0])
    if places is not None:
        found.append(_of_branches(query, key, value, places, scaling))
    return torch.cat(found, dim=1).transpose(0, 1)[None], None


def _of_branches(query: Tensor, key: Tensor, value: Tensor, places: TreePlaces, scaling: float | None) -> Tensor:
    """What the tokens of all branches attend to, shape (n_heads, n_branch_tokens, size), in the order of the row."""
    groups, (n_branches, longest) = query.shape[1] // key.shape[1], places.branches.shape
    # Heads that share their keys are laid one after the other, as more queries: each key is then copied once.
    asked = query[0][:, places.branches].unflatten(0, (-1, groups)).permute(2, 0, 1, 3, 4).flatten(2, 3)
    keys, values = (
        torch.cat([each[:, :, : places.beginning].expand(n_branches, -1, -1, -1), own.transpose(0, 1)], dim=2)
        for each, own in ((each, each[0][:, places.branches]) for each in (key, value))
    )
    mask = places.seen.repeat(groups, 1)
    attended = scaled_dot_product_attention(asked, keys, values, attn_mask=mask, scale=scaling)
    heads = attended.unflatten(2, (groups, longest)).permute(1, 2, 0, 3, 4).flatten(0, 1)
    return heads[:, places.filled]
