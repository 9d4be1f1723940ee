"""Recommenders in logged dialogues whose seekers know their target, as in iEvaLM, beside seekers who do not."""
