"""What is taken over of `X-Request-Id`, `traceparent` and `tracestate`.

The cases of the latter two are those of the W3C recommendation's own test suite, in forwarding mode.
"""

import re

import pytest
from starlette.datastructures import Headers

from api.http.correlation import correlation_of
from serving.backend import Correlation

TRACE_ID, PARENT_ID = "12345678901234567890123456789012", "1234567890123456"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
TRACESTATE_VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")


def correlation(*headers: tuple[str, str]) -> Correlation:
    return correlation_of(Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in headers]))


@pytest.mark.parametrize("request_id", ["a", "ward-7.42_B", "0" * 128, "6d3f1f52-3a67-4bd7-8c3e-0f6a31d7f3a1"])
def test_a_safe_request_id_is_kept(request_id: str) -> None:
    assert correlation(("X-Request-Id", request_id)).request_id == request_id


@pytest.mark.parametrize(
    "request_id", ["", "0" * 129, "a b", "a\tb", "a;b", "a/b", "a\r\nX: y", "a\n", "é", '"', "%0a", "${x}"]
)
def test_another_request_id_is_replaced_by_one_of_ours(request_id: str) -> None:
    made = {correlation(("X-Request-Id", request_id)).request_id, correlation().request_id}
    assert len(made) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)


@pytest.mark.parametrize("flags", ["00", "01", "02", "03", "ff"])
def test_a_traceparent_of_the_known_version_is_passed_on_unchanged(flags: str) -> None:
    given = f"00-{TRACE_ID}-{PARENT_ID}-{flags}"
    taken = correlation(("TraceParent", given))
    assert (taken.traceparent, taken.trace_id) == (given, TRACE_ID)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (f"cc-{TRACE_ID}-{PARENT_ID}-01", TRACEPARENT),
        (f"cc-{TRACE_ID}-{PARENT_ID}-01-what-the-future-will-be-like", TRACEPARENT),
        (f"01-{TRACE_ID}-{PARENT_ID}-09-", TRACEPARENT),
        (f"fe-{TRACE_ID}-{PARENT_ID}-fe", f"00-{TRACE_ID}-{PARENT_ID}-00"),
    ],
)
def test_a_traceparent_of_a_later_version_becomes_one_of_the_known_version(given: str, taken: str) -> None:
    assert correlation(("traceparent", given)).traceparent == taken


@pytest.mark.parametrize(
    "given",
    [
        *("", "00", f"00-{TRACE_ID}", f"00-{TRACE_ID}-{PARENT_ID}"),
        *(f"00-{TRACE_ID}-{PARENT_ID}-01.", f"00-{TRACE_ID}-{PARENT_ID}-01-what-the-future-will-be-like"),
        *(f"cc-{TRACE_ID}-{PARENT_ID}-01.what-the-future-will-be-like", f"cc-{TRACE_ID}-{PARENT_ID}-0"),
        *(f"{version}-{TRACE_ID}-{PARENT_ID}-01" for version in ("ff", ".0", "0.", "0", "000", "0000", "0A", "")),
        *(f"00-{trace}-{PARENT_ID}-01" for trace in ("0" * 32, "." + TRACE_ID[1:], TRACE_ID[1:], TRACE_ID + "3")),
        *(f"00-{TRACE_ID}-{parent}-01" for parent in ("0" * 16, "." + PARENT_ID[1:], PARENT_ID[1:], PARENT_ID + "7")),
        *(f"00-{TRACE_ID}-{PARENT_ID}-{flags}" for flags in (".0", "0.", "001", "1", "", "0A")),
        *(f"00-{'ABCDEF' + TRACE_ID[6:]}-{PARENT_ID}-01", f"00_{TRACE_ID}_{PARENT_ID}_01", f"{TRACEPARENT}\n"),
    ],
)
def test_a_malformed_traceparent_is_ignored_and_its_tracestate_with_it(given: str) -> None:
    headers = Headers({"traceparent": given, "tracestate": "foo=1"})
    taken = correlation_of(headers)
    assert (taken.traceparent, taken.tracestate, taken.trace_id) == ("", "", "")


@pytest.mark.parametrize(("before", "after"), [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")])
def test_white_space_around_a_value_is_no_part_of_it(before: str, after: str) -> None:
    values = {"x-request-id": "ward-7", "traceparent": TRACEPARENT, "tracestate": "foo=1"}
    taken = correlation(*((name, before + value + after) for name, value in values.items()))
    assert taken == Correlation("ward-7", TRACEPARENT, "foo=1")


def test_two_traceparents_are_none() -> None:
    assert correlation(("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)).traceparent == ""


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([], ""),
        ([""], ""),
        (["foo=1"], "foo=1"),
        (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (["foo=1", ""], "foo=1"),
        (["", "foo=1"], "foo=1"),
        (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (["\tfoo=  1 "], "foo=  1"),
        ([f"a0_-*/={TRACESTATE_VALUE}"], f"a0_-*/={TRACESTATE_VALUE}"),
        (["0t@s-_*/9=1"], "0t@s-_*/9=1"),
        ([f"{'z' * 256}=1"], f"{'z' * 256}=1"),
        ([f"{'t' * 241}@{'v' * 14}=1"], f"{'t' * 241}@{'v' * 14}=1"),
        ([f"foo={'.' * 256}"], f"foo={'.' * 256}"),
        ([",".join(f"b{number}=1" for number in range(32))], ",".join(f"b{number}=1" for number in range(32))),
    ],
)
def test_a_tracestate_is_passed_on_as_one_list(given: list[str], taken: str) -> None:
    states = [("tracestate", value) for value in given]
    assert correlation(("traceparent", TRACEPARENT), *states).tracestate == taken


@pytest.mark.parametrize(
    "given",
    [
        *("foo", "foo=", "=1", "foo =1", "FOO=1", "foo.bar=1", "0foo=1", "foo=1=2", "foo=é", "foo=a\x00b", "foo=a\tb"),
        *("foo@=1,bar=2", "@foo=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2", "foo=1,foo=1", "foo=1,foo=2"),
        *(f"{'z' * 257}=1", f"{'t' * 242}@v=1", f"t@{'v' * 15}=1", f"foo={'.' * 257}"),
        ",".join(f"b{number}=1" for number in range(33)),
    ],
)
def test_a_malformed_tracestate_is_ignored_and_the_trace_kept(given: str) -> None:
    taken = correlation(("traceparent", TRACEPARENT), ("tracestate", given))
    assert (taken.traceparent, taken.tracestate) == (TRACEPARENT, "")


def test_a_tracestate_of_512_characters_is_kept_and_a_longer_one_loses_whole_members() -> None:
    short = [f"s{number}={'.' * 97}" for number in range(4)]  # of 100 characters
    long = f"l={'.' * 127}"  # of 129
    full = ",".join([*short, f"e={'.' * 106}"])
    assert len(full) == 512

    def kept(*members: str) -> str:
        return correlation(("traceparent", TRACEPARENT), ("tracestate", ",".join(members))).tracestate

    assert kept(full) == full
    assert kept(short[0], long, *short[1:]) == ",".join(short)  # the long one first
    assert kept(*short, f"e={'.' * 107}") == ",".join(short)  # then from the end
    assert kept(long, long.replace("l", "m"), *short) == ",".join(short)
    assert kept(*short, long, *(s.replace("s", "t") for s in short)) == ",".join([*short, short[0].replace("s", "t")])
