"""DICOM objects."""

from api.types import Report


def dicom_objects(report: Report) -> tuple[bytes, ...]:
    """Give an answer as DICOM files: a Comprehensive 3D SR, then a Secondary Capture of each picture."""
    raise NotImplementedError(report)
