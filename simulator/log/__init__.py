"""The event log: every impression, click, rating and exit in a database you can query."""
