"""A radiograph, as the stages see it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

ImageFormat: TypeAlias = Literal["dicom", "jpeg", "png"]


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the tags of a DICOM object say of how it was taken; empty where they say nothing.

    Strings are the tags' values as they are, so that they may hold anything: compare them, never repeat them.
    `view_codes` and `region_codes` are code values of View Code Sequence and Anatomic Region Sequence.
    `patient_orientation` is that of rows and of columns (PS3.3, section C.7.6.1.1.1).
    """

    modality: str = ""
    view_position: str = ""
    view_codes: tuple[str, ...] = ()
    body_part: str = ""
    region_codes: tuple[str, ...] = ()
    patient_orientation: tuple[str, ...] = ()
    burned_in_annotation: str = ""
    presentation_intent: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """What links an answer to the study of its input, and nothing that names a patient; empty where it is unknown.

    `acquired` is a moment with a time zone, or a day where the zone is not told.
    """

    instance_uid: str = ""
    accession_number: str = ""
    acquired: datetime | date | None = None


@dataclass(frozen=True, slots=True)
class DicomSource:
    """The DICOM object that a radiograph came in.

    `header` is all of it but the pixels. It holds patient data: nothing but the DICOM objects that answer the same
    patient's image may copy from it.
    """

    header: Dataset = field(repr=False)
    acquisition: Acquisition = field(repr=False)
    study: Study = field(repr=False)


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A decoded chest radiograph.

    `pixels` are grey levels of shape ``[rows, columns]``, 0 (black) to 255, upright as the viewer sees them.
    `bit_depth` is that of the file (1 to 16), before scaling to 8 bits. `source` is None for other formats than DICOM.
    """

    pixels: NDArray[np.uint8]
    format: ImageFormat
    bit_depth: int
    source: DicomSource | None = None

    @property
    def height(self) -> int:
        """Rows of the image as sent, after EXIF orientation."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the image as sent, after EXIF orientation."""
        return int(self.pixels.shape[1])
