"""Attention to both sides tells the items that are hidden from a history."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from groundlings.environments.arrays import FloatArray
from groundlings.recommenders.neural.options import (
    BatchSize,
    Blocks,
    Dropout,
    Heads,
    LearningRate,
    Length,
    MaskShare,
    NetworkWidth,
    Patience,
    Seed,
)
from groundlings.recommenders.neural.sequences import Sequences
from groundlings.recommenders.neural.sequential import SequentialRecommender
from groundlings.recommenders.neural.transformer import Shape, Weights


class Bert4Recommender(SequentialRecommender):
    """BERT4Rec (Sun et al. 2019): the network sees a history from both sides and tells the items hidden from it.

    Needs `pip install 'groundlings[neural]'`. Network and training are those of the paper: random items of a history
    are hidden, the loss is the cross-entropy over all items, and a list is what the network tells of a hidden item
    behind the last one. It learns from a fifth of the places that `sasrec` learns from, so it wants more epochs:
    results reported for it differ most by how long it was trained (Petrov and Macdonald 2022).

    Args:
        length: Latest items of a user that are looked at, with the hidden one.
        width: Numbers of a vector.
        blocks: Layers of attention.
        heads: Attention heads of a layer; the width is a multiple of them.
        dropout: Numbers left out at random in training.
        mask_share: Items of a history that are hidden in training.
        learning_rate: Of Adam.
        batch_size: Histories of a step.
        epochs: At most.
        patience: Epochs that bring nothing better before training stops.
        seed: Of the start, the batches, hidden items and dropout.
    """

    name = "bert4rec"

    def __init__(
        self,
        length: Length = 50,
        width: NetworkWidth = 64,
        blocks: Blocks = 2,
        heads: Heads = 2,
        dropout: Dropout = 0.2,
        mask_share: MaskShare = 0.2,
        learning_rate: LearningRate = 0.001,
        batch_size: BatchSize = 128,
        epochs: Annotated[int, Field(ge=1, le=10_000)] = 400,
        patience: Patience = 40,
        seed: Seed = 0,
    ) -> None:
        super().__init__(Shape("bert4rec", 0, length, width, blocks, heads), batch_size, None)
        self.dropout, self.mask_share = dropout, mask_share
        self.learning_rate, self.batch_size, self.epochs, self.patience = learning_rate, batch_size, epochs, patience
        self.seed = seed

    def train(self, shape: Shape, sequences: Sequences, *, repeats: bool) -> tuple[Weights, FloatArray]:
        """See `SequentialRecommender.train`."""
        from groundlings.recommenders.neural.training import Training, trained

        training = Training(
            negatives=None,
            mask_share=self.mask_share,
            dropout=self.dropout,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.seed,
        )
        return trained(shape, training, sequences, repeats)
