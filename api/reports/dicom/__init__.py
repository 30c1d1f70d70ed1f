"""DICOM objects: an answer as files that an archive can store beside the image that they are about."""

from api.errors import NotAcceptable
from api.quality import names_chest
from api.reports.dicom.captures import captures_of
from api.reports.dicom.files import Answer
from api.reports.dicom.source import read_source
from api.reports.dicom.structured_report import structured_report_of
from api.reports.pictures import pictures_of
from api.types import Report


def dicom_objects(report: Report) -> tuple[bytes, ...]:
    """Give an answer as DICOM files: a Comprehensive 3D SR, then a Secondary Capture of each picture.

    They belong to the study of the image, and are the same whenever and wherever they are made.

    Raises
    ------
    NotAcceptable
        The radiograph is not a DICOM image that can be referred to.
    """
    source = report.radiograph.source
    if source is None:
        raise NotAcceptable("DICOM objects can only answer a DICOM object. Received: another image format.")
    answer = Answer(read_source(source.header), report.receipt)
    pictures = pictures_of(report)
    of_chest = names_chest(source.acquisition.body_part, source.acquisition.region_codes)
    captures = captures_of(answer, pictures, of_chest=of_chest)
    document = structured_report_of(answer, report, tuple(zip(pictures, captures, strict=True)))
    return tuple(answer.file(made) for made in (document, *captures))
