"""The earlier name of `environments.sessions`, for one version."""

from groundlings.environments.earlier_names import tell_earlier_name
from groundlings.environments.sessions import Sessions as Visits

__all__ = ["Visits"]

tell_earlier_name("groundlings.environments.visits", "groundlings.environments.sessions, with Sessions for Visits")
