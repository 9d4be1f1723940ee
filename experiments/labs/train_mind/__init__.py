"""The lab `groundlings train-mind`: a language model learns what people chose, and is weighed on other people."""
