"""The answer of a run on one screen: who wins, by how much, can it be believed, what is the bad news, what next."""
