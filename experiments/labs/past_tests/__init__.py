"""Past A/B tests: how well simulated effects predicted real ones, and what that says of the next one."""
