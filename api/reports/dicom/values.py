"""What a value must look like to be copied (PS3.5, section 6.2): each check is given the text that it spells."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

Check: TypeAlias = Callable[[str], bool]

# Control characters, and what stands between several values, where only one may be.
_NOT_IN_ONE_VALUE = re.compile(r"[\x00-\x1f\x7f\\]")
_DATE = re.compile("[0-9]{8}")
_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?")
_LONGEST_GROUP, _MOST_GROUPS = 64, 3  # of a Person Name: alphabetic, ideographic, phonetic


def matching(pattern: str) -> Check:
    """Make a check of what looks like a pattern."""
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def text(longest: int) -> Check:
    """Make a check of one text of at most so many characters."""
    return lambda value: len(value) <= longest and not _NOT_IN_ONE_VALUE.search(value)


short_string, long_string = text(16), text(64)  # SH and LO


def is_name(value: str) -> bool:
    """Tell whether it is one Person Name."""
    groups = value.split("=")
    return len(groups) <= _MOST_GROUPS and all(map(text(_LONGEST_GROUP), groups))


def is_date(value: str) -> bool:
    """Tell whether it is a day that the calendar has."""
    if not _DATE.fullmatch(value):
        return False
    try:
        datetime.strptime(value, "%Y%m%d")
    except ValueError:
        return False
    return True


def is_time(value: str) -> bool:
    """Tell whether it is a time of the day, to the hour or finer."""
    return _TIME.fullmatch(value) is not None


def is_offset(value: str) -> bool:
    """Tell whether it is an offset from UTC (PS3.3, section C.12.1.1.8)."""
    return re.fullmatch("-(0[0-9]|1[01])[0-5][0-9]|-1200|[+](0[0-9]|1[0-3])[0-5][0-9]|[+]1400", value) is not None
