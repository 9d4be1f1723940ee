"""Systems that converse, held against users who need something: success, policies, turns, and the order over styles."""
