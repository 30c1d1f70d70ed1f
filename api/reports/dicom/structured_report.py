"""An answer as a Comprehensive 3D SR after TID 1500, Measurement Report (PS3.16)."""

from collections.abc import Sequence

from highdicom.sc import SCImage
from highdicom.sr import (
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes as standard_codes

from api.reports.dicom import codes
from api.reports.dicom.files import MANUFACTURER, Answer
from api.reports.dicom.measurement_group import group_of
from api.reports.dicom.source import Source
from api.reports.dicom.texts import plain, summary_items
from api.reports.pictures import NamedPicture
from api.types import Report

_SERIES_NUMBER = 9901
_SERIES_DESCRIPTION = "CXR Explain report (research, not a medical device)"


def structured_report_of(
    answer: Answer, report: Report, captures: Sequence[tuple[NamedPicture, SCImage]]
) -> Comprehensive3DSR:
    """Say what was found, referring to the image and to the captures of the pictures.

    It is complete, but preliminary and unverified: no person has looked at it.
    """
    content = MeasurementReport(
        observation_context=ObservationContext(_observer(answer)),
        procedure_reported=codes.SINGLE_VIEW,
        imaging_measurements=[group_of(answer, report, captures)],
    )
    content[0].ContentSequence.append(_evaluations(report))
    return Comprehensive3DSR(
        evidence=[_evidence(answer.source), *(capture for _, capture in captures)],
        content=content,
        sop_instance_uid=answer.uid("report"),
        instance_number=1,
        is_complete=True,
        is_final=False,
        is_verified=False,
        **answer.series("report", _SERIES_NUMBER, _SERIES_DESCRIPTION),
    )


def _observer(answer: Answer) -> ObserverContext:
    attributes = DeviceObserverIdentifyingAttributes(
        uid=answer.device_uid,
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=plain(answer.receipt.model.name),
        serial_number=answer.device_uid,
    )
    return ObserverContext(standard_codes.DCM.Device, attributes)


def _evaluations(report: Report) -> ContainerContentItem:
    """Say in words what the whole report comes to (TID 1500, rows 10 to 12)."""
    container = ContainerContentItem(codes.QUALITATIVE_EVALUATIONS, relationship_type="CONTAINS")
    container.ContentSequence = ContentSequence(summary_items(report))
    return container


def _evidence(source: Source) -> Dataset:
    """Stand in for the image: its identifiers alone, as its other attributes are copied when the file is written.

    highdicom would refuse, or log, what is invalid in them.
    """
    image = Dataset()
    image.StudyInstanceUID, image.SeriesInstanceUID = source.study_uid, source.series_uid
    image.SOPClassUID, image.SOPInstanceUID = source.class_uid, source.instance_uid
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(image, keyword, "")
    image.StudyDate = image.StudyTime = None
    return image
