"""What happens: the clock, the visits, the calls to language models and the event log."""
