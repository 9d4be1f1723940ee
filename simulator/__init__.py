"""What happens: the clock, the sessions, the calls to language models and the event log."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
"""Nothing is printed unless whoever imports this sets up `logging`."""
