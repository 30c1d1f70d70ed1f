"""The grammar of `Accept`: RFC 9110, sections 5.6 and 12.5.1."""

import time

import pytest

from api.http.media_ranges import MediaRange, media_ranges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", MediaRange("application/json", 1, {})),
        ("Application/JSON", MediaRange("application/json", 1, {})),
        ("application/*", MediaRange("application/*", 1, {})),
        ("*/*;q=0.25", MediaRange("*/*", 0.25, {})),
        ("text/html \t;\t level=1 ; Q=0.5", MediaRange("text/html", 0.5, {"level": "1"})),
        ("text/html;q=0.5;level=1", MediaRange("text/html", 0.5, {"level": "1"})),
        ("text/html;;level=1;", MediaRange("text/html", 1, {"level": "1"})),
        ('a/b;c="D,e;f"', MediaRange("a/b", 1, {"c": "d,e;f"})),
        (r'a/b;c="\"\\d"', MediaRange("a/b", 1, {"c": r'"\d'})),
        ('a/b;c=""', MediaRange("a/b", 1, {"c": ""})),
        ("a/b;type=application/dicom", MediaRange("a/b", 1, {"type": "application/dicom"})),
        ("a/b;q=0", MediaRange("a/b", 0, {})),
        ("a/b;q=0.", MediaRange("a/b", 0, {})),
        ("a/b;q=1.000", MediaRange("a/b", 1, {})),
        ("a/b;q=.2", MediaRange("a/b", 0.2, {})),
        ("a/b;q=0.33333", MediaRange("a/b", 0.33333, {})),
    ],
)
def test_a_range_is_read(header: str, expected: MediaRange) -> None:
    assert media_ranges(header) == (expected,)


@pytest.mark.parametrize(
    "header",
    [
        *("", ",", "json", "application/", "/json", "application json", "a/b/c", "a/b c", "a/ä", ";q=1"),
        *("a/b;q", "a/b;q=", "a/b;q=high", "a/b;q=1.5", "a/b;q=2", "a/b;q=-0.5", "a/b;q=nan", "a/b;q=1e0", "a/b;q=²"),
        *('a/b;c="d', r'a/b;c="d\"', 'a/b;c=d"e"', "a/b;=d", "a/b;c = d", "a/b;c", 'a/b;"c"=d'),
    ],
)
def test_what_breaks_the_grammar_allows_nothing(header: str) -> None:
    assert media_ranges(header) == ()


def test_a_broken_range_does_not_spoil_the_others() -> None:
    found = media_ranges('a/b;q=0.5, json, c/d;e="f,g", , h/i;q=x,*/*;q=0.1')
    assert [(each.essence, each.quality) for each in found] == [("a/b", 0.5), ("c/d", 1), ("*/*", 0.1)]


@pytest.mark.parametrize("piece", ['"', "\\", '\\"', '"\\', ";", "; ", ",", 'a/b;c="', "a/b;", '"a",', " "])
def test_a_hostile_header_takes_no_time(piece: str) -> None:
    started = time.perf_counter()
    media_ranges(piece * (64 * 1024 // len(piece)))
    assert time.perf_counter() - started < 1


def test_a_range_covers_its_own_type_its_kind_or_all() -> None:
    ranges = media_ranges("application/json, application/*, */*, */json")
    assert [each.covers("application/json") for each in ranges] == [True, True, True, False]
    assert [each.covers("multipart/related") for each in ranges] == [False, False, True, False]
    assert [each.closeness for each in ranges[:3]] == [2, 1, 0]
