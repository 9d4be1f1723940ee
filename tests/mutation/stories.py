"""The files that a reader follows from a configuration to a mean, and the tests of the same room that watch each."""

from __future__ import annotations

_ENVIRONMENTS = (
    "tests/environments/test_actions.py",
    "tests/environments/test_legality.py",
    "tests/environments/test_decision.py",
    "tests/environments/test_feed.py",
    "tests/environments/test_environment.py",
)
_LIVING = (
    "tests/simulator/test_session.py",
    "tests/simulator/test_days.py",
    "tests/simulator/test_coming_back.py",
    "tests/simulator/test_shelf.py",
)
_LOG = (
    "tests/simulator/log/test_event_rows.py",
    "tests/simulator/log/test_log.py",
    "tests/simulator/log/test_agent_state_rows.py",
    "tests/simulator/log/test_recommender_calls.py",
    "tests/simulator/log/test_row_layout.py",
    "tests/simulator/log/test_writer.py",
    "tests/simulator/log/test_writing_in_parts.py",
)
_METRICS = (
    "tests/experiments/analysis/test_metric_definitions.py",
    "tests/experiments/analysis/test_metrics.py",
    "tests/experiments/analysis/test_own_metric.py",
)
_RUNNING = (
    "tests/experiments/running/test_simulating.py",
    "tests/experiments/running/test_asking_recommenders.py",
)

STORY: dict[str, tuple[str, ...]] = {
    "simulator/session.py": _LIVING,
    "simulator/arm.py": (*_LIVING, "tests/simulator/test_rows_elsewhere.py"),
    "simulator/days.py": _LIVING,
    "simulator/cohorts.py": _LIVING,
    "simulator/resume_state.py": _LIVING,
    "simulator/session_schedule.py": ("tests/simulator/test_session_schedule.py",),
    "simulator/log/writer.py": _LOG,
    "simulator/log/row_layout.py": _LOG,
    "simulator/log/event_rows.py": _LOG,
    "environments/actions.py": _ENVIRONMENTS,
    "environments/legality.py": _ENVIRONMENTS,
    "environments/decision.py": _ENVIRONMENTS,
    "environments/feed.py": _ENVIRONMENTS,
    "environments/environment.py": _ENVIRONMENTS,
    "experiments/running/simulating.py": _RUNNING,
    "experiments/analysis/metrics/definitions.py": _METRICS,
    "experiments/analysis/metrics/totals.py": _METRICS,
}
