"""The minds that decide for agents, one module each."""
