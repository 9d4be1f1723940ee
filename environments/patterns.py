"""What texts of a configuration must match, as patterns and in words."""

from __future__ import annotations

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""Of an experiment or a lab, after which a directory is called."""

NOUN = r"^[\w -]{1,40}$"
"""Words that go into prompts."""

GROUPING = r"^[a-z][a-z0-9_]*$"
"""Of a grouping of items, after which columns are called."""

CURRENCY = r"^[^\x00-\x20]*$"
"""What stands behind a price."""

DAY_OF_2017 = r"^2017-\d{2}-\d{2}$"
"""Of the year that the groceries of the Complete Journey were bought in."""

IN_WORDS = {
    NAME: "letters (a to z), digits, '_', '.' and '-', with a letter or a digit first",
    NOUN: "1 to 40 letters, digits, blanks and hyphens",
    GROUPING: "small letters (a to z), digits and '_', with a letter first",
    CURRENCY: "a word without blanks",
    DAY_OF_2017: "a day of 2017, such as 2017-12-04",
}
"""A pattern -> the same as messages say it."""
