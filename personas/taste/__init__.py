"""How much each person would like each item, measured on real histories."""
