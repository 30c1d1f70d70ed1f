"""DICOM files: one radiograph, as a viewer shows it, and what its tags say."""

from api.imaging.dicom.read import read_radiograph

__all__ = ["read_radiograph"]
