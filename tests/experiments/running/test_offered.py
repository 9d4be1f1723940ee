"""Offers of other days than the simulated ones are refused with the days that the table has."""

from __future__ import annotations

import pytest

from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.errors import ConfigError
from groundlings.experiments.running.offered import check_offers


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["2031-01-01,", "2031-02-01,"], "offers from 2031-01-01 on, without an end"),
        (["2019-01-01,2019-02-01"], "offers from 2019-01-01 to 2019-02-01"),
        (["45413,"], "offers from day 45413 on, without an end"),
        (["-9,-7"], "offers from day -9 to day -7"),
    ],
)
def test_a_table_of_other_days_is_refused_with_its_own(tmp_path, rows, told):
    (tmp_path / "items.csv").write_text("id,name\na,Tea\nb,Salt\n")
    (tmp_path / "bought.csv").write_text("who,what,when\nu,a,2024-03-01\nu,b,2024-03-02\n")
    (tmp_path / "offers.csv").write_text("\n".join(["id,from,to,price", *(f"a,{row},1" for row in rows)]) + "\n")
    own = {
        "interactions": {"path": "bought.csv", "user": "who", "item": "what", "timestamp": "when"},
        "items": {"path": "items.csv", "id": "id", "title": "name"},
        "offers": {"path": "offers.csv", "item": "id", "from": "from", "to": "to", "price": "price"},
    }
    dataset = load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=tmp_path)
    with pytest.raises(ConfigError, match="no offer is of a simulated day") as error:
        check_offers(dataset.offers, dataset.interactions, 2, True, lambda _: None)
    assert f"the table has {told}: say which of its days" in str(error.value)
