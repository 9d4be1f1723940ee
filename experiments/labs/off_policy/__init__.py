"""How well off-policy estimators foretell what a policy gets: held against worlds in which it really ran."""
