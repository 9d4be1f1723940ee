"""Token trees: nothing of a prompt is lost, and no branch sees another."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.experiments.labs.train_mind.token_trees import grow, lay

prompts = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=40)
@given(prompts)
def test_every_prompt_is_the_beginning_and_a_branch(asked):
    row = lay(grow(asked))
    assert len(row.answers) == len(asked)
    for branch, filled, answer, prompt in zip(row.branches, row.filled, row.answers, asked, strict=True):
        seen = [*range(row.beginning), *branch[filled]]
        assert seen[-1] == answer
        assert row.tokens[seen].tolist() == prompt
        assert row.positions[seen].tolist() == list(range(len(prompt)))
    assert sorted([*range(row.beginning), *row.branches[row.filled]]) == list(range(len(row.tokens)))


def test_a_common_beginning_is_computed_once():
    tree = grow([[5, 6, 7, 1], [5, 6, 7, 2, 3], [5, 6, 7, 4]])
    assert tree.beginning == (5, 6, 7)
    assert len(tree) == 3 + 1 + 2 + 1
