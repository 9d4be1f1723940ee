"""A person in Mesa's sense: somebody who may come today."""

from __future__ import annotations

import mesa


class Visitor(mesa.Agent):  # type: ignore[misc]
    """One member of the population; everything about them stays in columns, by row number.

    Attributes:
        row: Row number in the population.
    """

    def __init__(self, model: mesa.Model, row: int) -> None:
        super().__init__(model)
        self.row = row

    def come(self) -> None:
        """Come to the site if today's draw says so."""
        if self.model.comes_today[self.row]:
            self.model.arrivals.append(self.row)
