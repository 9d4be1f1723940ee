"""Token trees: nothing of a prompt is lost, and no branch sees another."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.experiments.labs.train_mind.token_trees import grow, pack

prompts = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=40)
@given(st.lists(prompts, min_size=1, max_size=3))
def test_every_prompt_is_what_its_answer_sees(scenes):
    packed = pack([grow(scene) for scene in scenes])
    asked = [prompt for scene in scenes for prompt in scene]
    assert len(packed.answers) == len(asked)
    for answer, prompt in zip(packed.answers, asked, strict=True):
        seen = np.flatnonzero(packed.seen[answer])
        order = seen[np.argsort(packed.positions[seen])]
        assert packed.tokens[order].tolist() == prompt
        assert packed.positions[order].tolist() == list(range(len(prompt)))
    assert not np.triu(packed.seen, 1).any()


def test_a_common_beginning_is_computed_once():
    tree = grow([[5, 6, 7, 1], [5, 6, 7, 2, 3], [5, 6, 7, 4]])
    assert tree.beginning == (5, 6, 7)
    assert len(tree) == 3 + 1 + 2 + 1
