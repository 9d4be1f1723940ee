"""Interventions that cannot be are refused before anything runs, each with what is wrong and where."""

from __future__ import annotations

import pytest
import yaml

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.plan import build_plan

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 6}},
    "simulation": {"days": 3},
    "mind": "scripted",
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}


def refusal(tmp_path, change, **further) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **further, "interventions": [change]}))
    with pytest.raises(ConfigError) as fault:
        build_plan(load_config(path))
    return str(fault.value)


BOUND = {"arms": [SMALL["arms"][0], {"name": "oracle", "recommender": "oracle"}]}
TASTE = {"mind": "behavioural"}
ROWS = {"layout": {"kind": "rows", "rows": [{"name": "one", "visible": 3}, {"name": "two", "visible": 3}]}}


@pytest.mark.parametrize(
    ("change", "further", "told"),
    [
        (
            {"day": 0, "withdraw": ["i1"]},
            {},
            "interventions[0].day: expected 1 or more, found 0",
        ),
        ({"day": 4, "withdraw": ["i1"]}, {}, "interventions[0].day: found 4, and the run has 3 days (simulation.days)"),
        ({"day": 2, "arms": ["ease"], "withdraw": ["i1"]}, {}, "interventions[0].arms: no arm is called 'ease'"),
        ({"day": 2}, {}, "state exactly one of recommender, site, withdraw, restore, prompt, found none of them"),
        ({"day": 2, "withdraw": ["i1"], "restore": ["i2"]}, {}, "found withdraw and restore"),
        ({"day": 2, "withdraw": ["x9"]}, {}, "interventions[0].withdraw[0]: the data set has no item 'x9'"),
        ({"day": 2, "site": {"repeats": "allowed"}}, {}, "repeats: cannot change within a run"),
        ({"day": 2, "site": {"pages": 3}}, {}, "interventions[0].site.pages: this key does not exist"),
        ({"day": 2, "site": {}}, {}, "nothing is changed here"),
        ({"day": 2, "site": {"max_pages": 9}}, {}, "interventions[0].site.max_pages: found 9, expected at most"),
        ({"day": 2, "site": {"page_size": 2}}, {"site": ROWS}, "the rows of the layout say how many slots"),
        (
            {"day": 2, "site": {"page_size": 2}},
            {"arms": [{**SMALL["arms"][0], "slots": {"share": 0.1}}]},
            "rules and random slots count by pages",
        ),
        ({"day": 2, "prompt": "plain"}, {}, "only a language mind can be given other words, found scripted"),
        ({"day": 1, "recommender": "ease"}, {}, "another recommender from the first day on is another arm"),
        ({"day": 2, "recommender": "eas"}, {}, "interventions[0].recommender.recommender: "),
        (
            {"day": 2, "recommender": {"recommender": "item_knn", "options": {"what": 1}}},
            {},
            "interventions[0].recommender.options.what",
        ),
        (
            {"day": 2, "arms": ["popular"], "recommender": "oracle"},
            TASTE,
            "a bound is one from its first day to its last",
        ),
        ({"day": 2, "arms": ["oracle"], "recommender": "ease"}, {**BOUND, **TASTE}, "ranks by the hidden preference"),
        ({"day": 2, "recommender": "ease"}, {"design": "interleaving"}, "the two recommenders that it began with"),
        ({"day": 2, "arms": ["knn"], "withdraw": ["i1"]}, {"design": "interleaving"}, "draft each list together"),
    ],
)
def test_it_is_refused_with_what_is_wrong(tmp_path, change, further, told):
    assert told in refusal(tmp_path, change, **further)
