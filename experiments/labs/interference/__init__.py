"""How wrong a test that splits people who talk to each other is, and what splitting whole circles of them mends."""
