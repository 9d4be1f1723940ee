"""What exists, what can be seen and what can be done: catalog, interactions, pages, actions, sites."""
