"""Self-attention over a user's latest items tells the next one."""

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
    Negatives,
    NetworkWidth,
    Patience,
    Seed,
)
from groundlings.recommenders.neural.sequences import Sequences
from groundlings.recommenders.neural.sequential import SequentialRecommender
from groundlings.recommenders.neural.transformer import Shape, Weights


class SasRecommender(SequentialRecommender):
    """Self-attentive sequential recommendation (Kang and McAuley 2018): each place of a history tells the next item.

    Needs `pip install 'groundlings[neural]'`. The network is that of the paper: learnt places, blocks of attention that
    looks back only, and a product with the item's vector. The paper trains it with one random negative per place, which
    makes it overconfident; the default here is the cross-entropy over all items, with which it outperforms BERT4Rec
    (Klenitskiy and Vasilev 2023). With `negatives` it is the cross-entropy over the right item and
    so many drawn ones, for large catalogues, as in the same study.

    Args:
        length: Latest items of a user that are looked at.
        width: Numbers of a vector.
        blocks: Layers of attention.
        heads: Attention heads of a layer; the width is a multiple of them.
        dropout: Numbers left out at random in training.
        negatives: Items drawn for each batch, which the right ones are compared with; all items if absent.
        learning_rate: Of Adam.
        batch_size: Histories of a step.
        epochs: At most.
        patience: Epochs that bring nothing better before training stops.
        seed: Of the start, the batches and dropout.
    """

    name = "sasrec"

    def __init__(
        self,
        length: Length = 50,
        width: NetworkWidth = 64,
        blocks: Blocks = 2,
        heads: Heads = 1,
        dropout: Dropout = 0.2,
        negatives: Negatives | None = None,
        learning_rate: LearningRate = 0.001,
        batch_size: BatchSize = 128,
        epochs: Annotated[int, Field(ge=1, le=10_000)] = 200,
        patience: Patience = 10,
        seed: Seed = 0,
    ) -> None:
        super().__init__(Shape("sasrec", 0, length, width, blocks, heads), batch_size, negatives)
        self.dropout, self.negatives = dropout, negatives
        self.learning_rate, self.batch_size, self.epochs, self.patience = learning_rate, batch_size, epochs, patience
        self.seed = seed

    def train(self, shape: Shape, sequences: Sequences, *, repeats: bool) -> tuple[Weights, FloatArray]:
        """See `SequentialRecommender.train`."""
        from groundlings.recommenders.neural.training import Training, trained

        training = Training(
            negatives=self.negatives,
            mask_share=0.0,
            dropout=self.dropout,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.seed,
        )
        return trained(shape, training, sequences, repeats)
