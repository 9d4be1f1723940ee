"""Recommenders that ask a language model, and the parts that they share.

histories.py     what a user did, as item numbers: the training history and this arm's own log, nothing else
wording.py       histories and candidates as words
asking.py        one question to the arm's model, one logged call
grounding.py     names in a reply -> candidates; what fits none is counted
titles.py        titles written without a list -> items of the whole catalogue
llm_ranker.py    the recommender `llm_ranker`
llm_ranker.md    its prompts
agent_loop.py    steps of thought, tool and answer, for recommenders that look things up; their tools are in tools/
recmind.py       the recommender `recmind`
interec_agent.py the recommender `interec_agent`; plans.py reads its plans, passed_over.py is what users did not take
macrec.py        the recommender `macrec`; team.py: the agents that its manager may ask
puma.py          the recommender `puma`; task_memory.py: what it recalls, function_calls.py reads what it calls
first_lists.py   what the recommender inside lists, from which interec_agent.py and puma.py go on
agentcf.py       the recommender `agentcf`, rah.py `rah`; pairs.py and judged.py: what they learn from
billp.py         the recommender `billp`; long_term.py: its memories, and what came of earlier days
"""
