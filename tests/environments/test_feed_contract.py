"""The paginated feed keeps the promises of every environment, asked for once per session or for each page."""

from groundlings.environments.contract import EnvironmentContract
from groundlings.environments.dataset import RatingScale
from groundlings.environments.feed import PaginatedFeed


class TestFeed(EnvironmentContract):
    def make_environment(self):
        return PaginatedFeed(4, 5, RatingScale())


class TestFeedThatAsksForEachPage(EnvironmentContract):
    def make_environment(self):
        return PaginatedFeed(4, 5, RatingScale(), "page")


class TestFeedDeeperThanTheCatalog(EnvironmentContract):
    def make_environment(self):
        return PaginatedFeed(7, 9, RatingScale(), "page")
