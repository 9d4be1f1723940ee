"""How each shipped metric is written and which direction is better: what readers of reports rely on."""

from __future__ import annotations

from groundlings.experiments.analysis.metrics.definitions import BY_NAME, METRICS


def test_each_metric_is_rounded_and_judged_as_its_readers_expect():
    assert [(metric.name, metric.decimals, metric.higher_is_better) for metric in METRICS] == [
        ("view_ratio", 3, True),
        ("likes_per_session", 2, True),
        ("like_ratio", 3, True),
        ("mean_rating", 2, True),
        ("exit_page", 2, None),
        ("satisfaction", 2, True),
    ]
    assert list(BY_NAME) == [metric.name for metric in METRICS]


def test_a_metric_needs_the_actions_that_it_counts_and_no_other():
    needs = {metric.name: sorted(metric.needs) for metric in METRICS}
    assert needs == {
        "view_ratio": ["click"],
        "likes_per_session": ["rate"],
        "like_ratio": ["rate"],
        "mean_rating": ["rate"],
        "exit_page": [],
        "satisfaction": [],
    }


def test_held_out_behaviour_can_confirm_what_counts_clicks_and_likes_and_nothing_else():
    assert [metric.name for metric in METRICS if metric.measures_choice] == ["view_ratio", "likes_per_session"]
