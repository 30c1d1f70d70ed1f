import pytest

from api.reports.fhir import is_subject


@pytest.mark.parametrize(
    "text",
    [
        "Patient/123",
        "Patient/a-1.B",
        "Patient/" + "x" * 64,
        "http://hospital.example/mrn|4711",
        "https://a.example/%C3%BC?x=(1)|4711",
        "urn:oid:1.2.36.146.595.217.0.1|4711",
        "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7|4711",
        "urn:x-hospital:mrn|4711",
        "http://a.example|MRN 4711|b",
        "http://a.example|Müller-患者",
        "http://a.example|" + "x" * 256,
    ],
)
def test_a_patients_id_or_identifier_is_taken(text: str) -> None:
    assert is_subject(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123",
        "Patient/",
        "Patient/" + "x" * 65,
        "Patient/1 2",
        "Patient/1/_history/1",
        "Patient/1\n",
        "patient/1",
        "Group/1",
        "https://a.example/Patient/1",
        "|4711",
        "hospital|4711",
        "http:|4711",
        "http://a b|4711",
        "http://a.example/%zz|4711",
        "http://a.example/<x>|4711",
        "http://ä.example|4711",
        "urn:oid:1.02|4711",
        "urn:oid:hospital|4711",
        "URN:OID:1.2|4711",
        "urn:uuid:4711|4711",
        "http://a.example|",
        "http://a.example| 4711",
        "http://a.example|4711 ",
        "http://a.example|47\n11",
        "http://a.example|47\x0011",
        "http://a.example|\ud800",
        "http://a.example|" + "x" * 257,
        "http://" + "a" * 250 + "|4711",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    assert not is_subject(text)
