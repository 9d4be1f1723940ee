"""Speed as ratios, both sides measured in the same run; `make bench` prints them."""
