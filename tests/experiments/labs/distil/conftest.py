"""A made-up world and teachers whose answers are known functions of what they are told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import ProviderError
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.distil import lab
from groundlings.experiments.labs.distil.config import DistilConfig

FILE = """
name: toy
seed: 3
dataset:
  name: toy
  toy: {n_users: 150, n_items: 60, n_groups: 3, interactions_per_user: 16, seed: 5}
split: {salt: a}
population: {size: 30}
choice: {scenes: 1}
teacher: {model: {provider: scripted}, question: {latest: 5, popularity: true}, scenes: 20}
pairs: {people: 60, candidates: 10, first: 150, rounds: 2, per_round: 40}
student: {width: 4, members: 5, bins: 3}
list_items: 6
bootstrap: 100
"""


class Teacher:
    """Likes what is well known, and the group of the person's latest items; says so with some noise.

    Args:
        noise: Standard deviation of what is no function of the question's facts.
        meaningless: Whether the answer is noise alone.
        unreadable: Every so many answers one is a word that is neither yes nor no; 0 for none.
        breaks_after: Answers after which nothing comes any more.
    """

    def __init__(self, noise=0.3, *, meaningless=False, unreadable=0, breaks_after=10**9):
        self.name = "teacher"
        self._noise, self._meaningless, self._unreadable, self._left = noise, meaningless, unreadable, breaks_after
        self.asked = []

    async def ask(self, request):
        if len(self.asked) == self._left:
            raise ProviderError("teacher: nobody answers; start the server")
        told = request.messages[-1].content
        self.asked.append(told)
        chance = np.random.default_rng(list(told.encode()))
        if self._unreadable and chance.integers(self._unreadable) == 0:
            return self._reply((("maybe", -0.1), ("perhaps", -3.0)))
        odds = 0.0 if self._meaningless else self._odds(told)
        odds += self._noise * chance.normal()
        no = -float(np.logaddexp(0, odds))
        return self._reply((("Yes", no + odds), ("No", no)))

    def _odds(self, told):
        person, item = told.split("<item>")
        known = int(re.search(r"better known than (\d+) %", item)[1]) / 50 - 1
        likes = person.count(re.search(r"(genre \d|Bread|Soap|Tea)", item)[1]) > 0
        return 1.5 * known + likes - 1

    def _reply(self, first_token):
        return ChatReply("Yes", self.name, "", 10, 0, 1, 0.0, first_token=first_token)

    async def close(self):
        pass


@pytest.fixture(scope="session")
def distil_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("distil") / "distil.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="session")
def distil(distil_file):
    """`distil(teacher, directory, *changes)`: the findings of one distillation."""

    def run(teacher, directory, *changes):
        async def built(*_, **__):
            return teacher

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lab, "build_chat_model", built)
            return lab.distil(load_as(DistilConfig, distil_file, changes), directory)

    return run
