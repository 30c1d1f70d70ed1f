"""`Accept: multipart/related; type="application/dicom"` through the gateway, on the tiny repository."""

import base64
import email
import email.policy
import io
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from highdicom.sr import srread
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import JPEGBaseline8Bit

from tests import tiny_repository as tiny
from tests.dicom.files import INSTANCE_UID, PATIENT_DATA, STUDY_UID, dataset, encoded, radiograph_file, written
from tests.dicom.tolerated import with_text
from tests.images import encode, grey

ACCEPT = 'multipart/related; type="application/dicom"'
DICOM = {"content-type": "application/dicom", "accept": ACCEPT}
SR, CAPTURE = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7"
SICK, HEALTHY = grey(200, 128, 128), grey(20, 128, 128)
SPOTTED = grey(140, 128, 128)
SPOTTED[64:80, 32:48] = 250  # in the lungs, on the viewer's left


async def post(
    client: httpx.AsyncClient, operation: str, pixels: NDArray[np.uint8], accept: str = ACCEPT, **query: Any
) -> httpx.Response:
    return await client.post(
        f"/v1/{operation}", content=radiograph_file(pixels), headers={**DICOM, "accept": accept}, params=query
    )


def parts(answer: httpx.Response) -> Sequence[Dataset]:
    """Read a multipart body as a mail program does, and each part as a DICOM file."""
    assert answer.status_code == 200, answer.text
    head = f"MIME-Version: 1.0\r\nContent-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    assert not message.defects
    read = []
    for part in message.iter_parts():
        assert part.get_content_type() == "application/dicom" and not part.defects
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        assert int(part["content-length"]) == len(data)
        read.append(dcmread(io.BytesIO(data)))
    return read


async def test_an_explained_answer_is_a_report_and_a_capture_of_each_overlay(client: httpx.AsyncClient) -> None:
    report, *captures = parts(await post(client, "explain", SICK))
    assert report.SOPClassUID == SR
    assert [made.SOPClassUID for made in captures] == [CAPTURE, CAPTURE]
    assert [made.DerivationDescription.split(":")[0] for made in captures] == ["Silhouette", "Gradient"]
    assert {made.StudyInstanceUID for made in (report, *captures)} == {STUDY_UID}
    assert {str(made.PatientName) for made in (report, *captures)} == {"DOE^JANE"}
    assert {max(made.pixel_array.shape) for made in captures} == {512}


async def test_captures_hold_the_overlays_of_the_json_answer(client: httpx.AsyncClient) -> None:
    query: dict[str, Any] = {
        "methods": "silhouette,gradient,saliency,grad_cam,grad_cam_plus_plus,occlusion",
        "overlay_size": 128,
    }
    _, *captures = parts(await post(client, "explain", SPOTTED, **query))
    answer = (await post(client, "explain", SPOTTED, "application/json", **query)).json()
    overlays = [each["overlay"] for each in answer["explanations"].values() if each]
    overlays.append(answer["affected_region"]["overlay"])
    assert len(captures) == len(overlays) == 7
    for capture, overlay in zip(captures, overlays, strict=True):
        expected = Image.open(io.BytesIO(base64.b64decode(overlay["data"]))).convert("RGB")
        np.testing.assert_array_equal(capture.pixel_array, np.asarray(expected))


async def test_a_prediction_is_a_report_alone_with_the_probability_of_the_json_answer(
    client: httpx.AsyncClient,
) -> None:
    (report,) = parts(await post(client, "predict", SICK))
    answer = (await post(client, "predict", SICK, "application/json")).json()
    (certainty,) = _items(report, "111012")
    expected = 100 * answer["prediction"]["probabilities"]["PNEUMONIA"]
    assert certainty.MeasuredValueSequence[0].NumericValue == pytest.approx(expected, abs=0.006)
    assert answer["receipt"]["input_sha256"] in str(_items(report, "111002")[0].TextValue)


async def test_normal_comes_without_captures_unless_asked_for(client: httpx.AsyncClient) -> None:
    (report,) = parts(await post(client, "explain", HEALTHY))
    (presence,) = _items(report, "121052")
    (certainty,) = _items(report, "111012")
    said = (await post(client, "explain", HEALTHY, "application/json")).json()["prediction"]["probabilities"]
    assert certainty.MeasuredValueSequence[0].NumericValue == pytest.approx(100 * said["NORMAL"], abs=0.006)
    assert presence.ConceptCodeSequence[0].CodeValue == "272519000"
    assert len(parts(await post(client, "explain", HEALTHY, always="true"))) == 3


async def test_a_region_that_methods_agree_on_is_outlined_on_the_image(client: httpx.AsyncClient) -> None:
    query = {"methods": "grad_cam,grad_cam_plus_plus"}
    answer = await post(client, "explain", SPOTTED, **query)
    content = srread(io.BytesIO(_files(answer)[0])).content
    (group,) = content.get_planar_roi_measurement_groups()  # type: ignore[attr-defined]
    outlined = (await post(client, "explain", SPOTTED, "application/json", **query)).json()["affected_region"]
    assert group.roi.value.tolist() == pytest.approx(np.array(outlined["polygon"]), abs=1 / 16)
    assert group.roi.ContentSequence[0].value[1] == INSTANCE_UID
    (site,) = group.finding_sites
    assert site.laterality.meaning == "Right"  # of the patient, on the viewer's left


async def test_a_retry_yields_the_same_bytes(client: httpx.AsyncClient) -> None:
    first, second = [await post(client, "explain", SICK, methods="all") for _ in range(2)]
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    other = await post(client, "explain", SICK, methods="all", threshold=0.8)
    assert parts(other)[0].SOPInstanceUID != parts(first)[0].SOPInstanceUID


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "*"])
async def test_the_transfer_syntax_may_be_asked_for(client: httpx.AsyncClient, syntax: str) -> None:
    answer = await post(client, "explain", SICK, f"{ACCEPT}; transfer-syntax={syntax}")
    assert {made.file_meta.TransferSyntaxUID for made in parts(answer)} == {"1.2.840.10008.1.2.1"}


async def test_another_transfer_syntax_is_not_acceptable(client: httpx.AsyncClient) -> None:
    answer = await post(client, "explain", SICK, f"{ACCEPT}; transfer-syntax=1.2.840.10008.1.2.4.90")
    assert answer.status_code == 406


async def test_an_image_that_is_not_dicom_cannot_be_answered_in_dicom(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "image/png", "accept": ACCEPT}
    answer = await client.post("/v1/explain", content=encode(SICK), headers=headers)
    assert answer.status_code == 406
    assert answer.json()["type"] == "/problems/not-acceptable"
    assert "can only answer a DICOM object" in answer.json()["detail"]


async def test_lossy_overlays_are_refused(client: httpx.AsyncClient) -> None:
    answer = await post(client, "explain", SICK, overlay_format="jpeg")
    assert answer.status_code == 422
    assert "lossless" in answer.json()["detail"]


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID"])
async def test_an_image_that_nothing_can_refer_to_is_not_acceptable(client: httpx.AsyncClient, missing: str) -> None:
    attributes: dict[str, Any] = {missing: None}
    image = radiograph_file(SICK, **attributes)
    answer = await client.post("/v1/predict", content=image, headers=DICOM)
    assert answer.status_code == 406
    assert missing in answer.json()["detail"]
    assert not any(value in answer.text for value in PATIENT_DATA)
    plain = await client.post("/v1/predict", content=image, headers={**DICOM, "accept": "application/json"})
    assert plain.status_code == 200


async def test_a_patient_who_cannot_be_named_again_is_not_acceptable(client: httpx.AsyncClient) -> None:
    for image in (
        radiograph_file(SICK).replace(b"MRN-4711", b"MRN\x07-711"),
        with_text(0x0020, "LO", b"MRN-4711" * 9, 0x0010)(),
    ):
        answer = await client.post("/v1/predict", content=image, headers=DICOM)
        assert answer.status_code == 406
        assert "PatientID" in answer.json()["detail"] and "711" not in answer.json()["detail"]
        for other in ("application/json", "application/fhir+json"):
            answer = await client.post("/v1/predict", content=image, headers={**DICOM, "accept": other})
            assert answer.status_code == 200


async def test_captures_of_a_lossy_file_that_does_not_say_so_are_marked(client: httpx.AsyncClient) -> None:
    image = encoded(dataset(SICK), JPEGBaseline8Bit)
    del image.LossyImageCompression
    _, *captures = parts(await client.post("/v1/explain", content=written(image), headers=DICOM))
    assert [made.get("LossyImageCompression") for made in captures] == ["01", "01"]


def test_the_grey_levels_of_these_tests_decide_as_they_should() -> None:
    probabilities = [tiny.probabilities_of(pixels[np.newaxis, ..., np.newaxis])[0, 1] for pixels in (SICK, HEALTHY)]
    assert probabilities[0] > tiny.DECISION_THRESHOLD > probabilities[1]


def _items(report: Dataset, code: str) -> list[Dataset]:
    (measurements,) = [item for item in report.ContentSequence if _name(item) == "126010"]
    return [item for item in measurements.ContentSequence[0].ContentSequence if _name(item) == code]


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def _files(answer: httpx.Response) -> list[bytes]:
    boundary = answer.headers["content-type"].split("boundary=")[1].encode()
    bodies = answer.content.split(b"--" + boundary)[1:-1]
    return [body.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for body in bodies]
