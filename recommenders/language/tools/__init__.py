"""Tools of recommenders that act in steps: what a recommender may know, asked for in words.

tool.py        the protocol, and what a tool knows of the user in hand
catalogue.py   `sql`: one SELECT over the items and the user's own history
search.py      `search`: the items whose words fit a text
summary.py     `summarise`: what all users made of an item
bus.py         the candidate bus: `query`, `filter`, `similar`, `rank` and `map`, used by a plan and not step by step
profile.py     `user_info`, `user_history`, `item_info`: what is known of the user in hand, and of an item
names.py       which item a name in a request means

All of them read the training part and this arm's own log, and nothing else. A tool answers in one line; a request that
it cannot serve raises `ToolFault`, whose words the model is told, so that it may mend the request.
"""
