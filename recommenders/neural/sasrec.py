"""Self-attention over a user's latest items tells the next one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from groundlings.environments.arrays import FloatArray
from groundlings.recommenders.neural.options import Blocks, Calibration, Dropout, Length, Loss, NetworkWidth
from groundlings.recommenders.neural.sequences import Sequences
from groundlings.recommenders.neural.sequential import SequentialRecommender
from groundlings.recommenders.neural.transformer import Shape, Weights


class SasRecommender(SequentialRecommender):
    """Self-attentive sequential recommendation (Kang and McAuley 2018): each place of a history tells the next item.

    Needs `pip install 'groundlings[neural]'`. The network is that of the paper: learnt places, blocks of attention that
    looks back only, and a product with the item's vector. The paper trains it with one random negative per place, which
    makes it overconfident; the default here is the cross-entropy over all items, with which it is on a par with
    BERT4Rec or better (Klenitskiy and Vasilev 2023). `loss: gbce` draws negatives and corrects for it, as gSASRec does
    (Petrov and Macdonald 2023); `loss: gbce, negatives: 1, calibration: 0` is nearly the paper's.

    Args:
        length: Latest items of a user that are looked at.
        width: Numbers of a vector.
        blocks: Layers of attention.
        heads: Attention heads of a layer; the width is a multiple of them.
        dropout: Numbers left out at random in training.
        loss: "softmax" compares with all items; "gbce" with drawn ones, for catalogues beyond some 20,000 items.
        negatives: Items drawn for a batch, for "gbce".
        calibration: How far scores are kept from overconfidence, 0 = not at all, 1 = wholly, for "gbce".
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
        heads: PositiveInt = 1,
        dropout: Dropout = 0.2,
        loss: Loss = "softmax",
        negatives: PositiveInt = 256,
        calibration: Calibration = 0.75,
        learning_rate: PositiveFloat = 0.001,
        batch_size: PositiveInt = 128,
        epochs: Annotated[int, Field(ge=1, le=10_000)] = 200,
        patience: PositiveInt = 10,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(
            Shape("sasrec", 0, length, width, blocks, heads), batch_size, None if loss == "softmax" else negatives
        )
        self.dropout, self.loss, self.negatives, self.calibration = dropout, loss, negatives, calibration
        self.learning_rate, self.batch_size, self.epochs, self.patience = learning_rate, batch_size, epochs, patience
        self.seed = seed

    def train(self, shape: Shape, sequences: Sequences, *, repeats: bool) -> tuple[Weights, FloatArray]:
        """See `SequentialRecommender.train`."""
        from groundlings.recommenders.neural.training import Training, trained

        training = Training(
            loss=self.loss,
            negatives=self.negatives,
            calibration=self.calibration,
            mask_share=0.0,
            dropout=self.dropout,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.seed,
        )
        return trained(shape, training, sequences, repeats)
