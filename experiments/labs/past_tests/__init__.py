"""Past A/B tests: how well simulated effects foretold real ones, and what that says of the next one."""
