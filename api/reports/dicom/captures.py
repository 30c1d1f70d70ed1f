"""Pictures of an answer as Secondary Captures (PS3.3, section A.8.1): RGB, 8 bits, uncompressed."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from api.reports.dicom.codes import SOURCE_OF_PICTURE
from api.reports.dicom.files import Answer
from api.reports.dicom.source import Source
from api.reports.dicom.texts import plain
from api.reports.pictures import NamedPicture
from api.types import DISCLAIMER

_SERIES_NUMBER = 9902
_SERIES_DESCRIPTION = "CXR Explain overlays (research, not a medical device)"
_ANY_ORIENTATION = ("L", "F")  # highdicom wants one; the image's own replaces it
_WORKSTATION = "WSD"


def captures_of(answer: Answer, pictures: Sequence[NamedPicture], *, of_chest: bool) -> tuple[SCImage, ...]:
    """Make one capture of each picture, all in one series; `of_chest` tells whether the image is known to show one."""
    # A chest has no laterality; of another or an unknown part of the body it has to be there, empty if unknown.
    part: dict[str, Any] = {"BodyPartExamined": "CHEST"} if of_chest else {"Laterality": None}
    return tuple(_capture(answer, picture, number, part) for number, picture in enumerate(pictures, start=1))


def _capture(answer: Answer, picture: NamedPicture, number: int, part: Mapping[str, Any]) -> SCImage:
    source = answer.source
    made = SCImage(
        pixel_array=_pixels(picture),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=_ANY_ORIENTATION,
        study_instance_uid=source.study_uid,
        sop_instance_uid=answer.uid("capture", picture.name),
        instance_number=number,
        **answer.series("captures", _SERIES_NUMBER, _SERIES_DESCRIPTION),
    )
    made["PixelData"].VR = "OB"
    for keyword, value in {**_attributes(source, picture), **part}.items():
        setattr(made, keyword, value)
    return made


def _attributes(source: Source, picture: NamedPicture) -> Mapping[str, Any]:
    """Give what highdicom leaves out or takes from the clock (PS3.3, sections C.7.6.1, C.8.6.1 and C.8.6.2)."""
    known = {"BurnedInAnnotation": source.burned_in, "LossyImageCompression": "01" if source.lossy else ""}
    return {
        "ImageType": ["DERIVED", "SECONDARY"],
        "ConversionType": _WORKSTATION,
        "PatientOrientation": list(source.directions) or None,
        "DerivationDescription": plain(picture.title),
        "ImageComments": DISCLAIMER,
        "SourceImageSequence": [_reference(source)],
        **{keyword: value for keyword, value in known.items() if value},
    }


def _pixels(picture: NamedPicture) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture.image.data)) as image:
        return np.asarray(image.convert("RGB"))


def _reference(source: Source) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.class_uid
    item.ReferencedSOPInstanceUID = source.instance_uid
    item.PurposeOfReferenceCodeSequence = [SOURCE_OF_PICTURE]
    return item
