"""DICOM files made for tests: a radiograph as a scanner would send it, of a patient whose data are easy to find.

`radiograph_file` gives the bytes of a file, `dataset` the object in it. Keyword arguments that are no choice of these
are attributes by their keyword: a value replaces the usual one, None takes the attribute away.
"""

import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.conftest import missing
from tests.dicom.storage import Storage as Storage
from tests.dicom.storage import grey_level_modules, image_pixel_module
from tests.dicom.storage import ramp as ramp

STUDY_UID = "2.25.47110001"
SERIES_UID = "2.25.47110002"
INSTANCE_UID = "2.25.47110003"
ACCESSION_NUMBER = "ACC-0815"
# What names the patient, in the forms that it could leak in.
PATIENT_DATA = (
    "DOE", "JANE", "MRN-4711", "19800102", "1980-01-02", "ROE^RICHARD", "SMITH^ADAM", "Saint Elsewhere",
    "Suspected fracture",
)  # fmt: skip
_PATIENT = {
    "PatientName": "DOE^JANE",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19800102",
    "PatientSex": "F",
    "PatientAge": "044Y",
    "ReferringPhysicianName": "ROE^RICHARD",
    "OperatorsName": "SMITH^ADAM",
    "InstitutionName": "Saint Elsewhere",
}
_STUDY = {
    "StudyInstanceUID": STUDY_UID,
    "StudyID": "1",
    "StudyDate": "20240305",
    "StudyTime": "101500",
    "AccessionNumber": ACCESSION_NUMBER,
    "StudyDescription": "Suspected fracture of Jane",
    "SeriesInstanceUID": SERIES_UID,
    "SeriesNumber": "1",
    "SeriesDescription": "Chest PA",
}
_EQUIPMENT = {
    "Manufacturer": "Test Imaging",
    "ManufacturerModelName": "Wall stand",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1.0",
    "StationName": "XR1",
}
_IMAGE = {
    "SOPInstanceUID": INSTANCE_UID,
    "InstanceNumber": "1",
    "ContentDate": "20240305",
    "ContentTime": "101632",
    "AcquisitionDate": "20240305",
    "AcquisitionTime": "101630",
    "AcquisitionNumber": "1",
    "PatientOrientation": ["L", "F"],
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
    "BurnedInAnnotation": "NO",
    "ImagerPixelSpacing": ["0.4", "0.4"],
}


_BASE64 = re.compile("[A-Za-z0-9+/]{200,}")  # a picture may spell anything


def patient_data_in(text: str) -> list[str]:
    """Find what a text tells of the patient: nothing, unless it is that of a DICOM object."""
    words = _BASE64.sub("", text)
    return [value for value in PATIENT_DATA if value in words]


def ids_in(text: str) -> list[str]:
    """Find what a text tells of the study: its identifiers and accession number."""
    return [value for value in (ACCESSION_NUMBER, "2.25.4711") if value in text]


def radiograph_file(
    levels: NDArray[np.uint8],
    storage: Storage | None = None,
    *,
    syntax: UID = ExplicitVRLittleEndian,
    modality: Literal["DX", "CR"] = "DX",
    **attributes: Any,
) -> bytes:
    """Store grey levels, shape ``[rows, columns]``, as a DICOM file in a transfer syntax that pydicom can write."""
    return written(encoded(dataset(levels, storage, modality=modality, **attributes), syntax))


def dataset(
    levels: NDArray[np.uint8],
    storage: Storage | None = None,
    *,
    modality: Literal["DX", "CR"] = "DX",
    **attributes: Any,
) -> Dataset:
    """Make the object of a chest radiograph, PA, in Explicit VR Little Endian."""
    storage = storage or Storage()
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.Modality = modality
    for module in (_PATIENT, _STUDY, _EQUIPMENT, _IMAGE, _of_modality(modality, storage)):
        _set(made, module)
    _set(made, {**image_pixel_module(levels, storage), **grey_level_modules(storage)})
    made["PixelData"].VR = "OB" if made.BitsAllocated == 8 else "OW"
    _set(made, attributes)
    made.file_meta = file_meta(made)
    return made


def file_meta(made: Dataset, syntax: UID = ExplicitVRLittleEndian) -> FileMetaDataset:
    """Make the header of a file that holds an object."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID("2.25.47110005")
    return meta


def encoded(made: Dataset, syntax: UID, **choices: Any) -> Dataset:
    """Bring an uncompressed object into a transfer syntax; `choices` go to pydicom's encoder of it."""
    if syntax == JPEGBaseline8Bit:
        return with_jpeg(made, **choices)
    if syntax.is_compressed and not syntax.is_deflated:
        # Of its encoders of RLE, GDCM's crashes on colour images of odd size.
        plugin = "pydicom" if syntax == RLELossless else ""
        made.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False, **choices)
        return made
    if syntax == ExplicitVRBigEndian and made.BitsAllocated == 16:
        made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    made.file_meta.TransferSyntaxUID = syntax
    return made


def with_jpeg(made: Dataset, quality: int = 95) -> Dataset:
    """Store an object's 8-bit values as baseline JPEG."""
    buffer = io.BytesIO()
    values = made.pixel_array
    Image.fromarray(values).save(buffer, "jpeg", quality=quality)
    made.PixelData = encapsulate([buffer.getvalue()])
    made["PixelData"].VR = "OB"
    made.LossyImageCompression = "01"
    made.LossyImageCompressionRatio = f"{values.nbytes / len(buffer.getvalue()):.2f}"
    made.LossyImageCompressionMethod = "ISO_10918_1"
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return made


def written(made: Dataset) -> bytes:
    """Give the file of an object."""
    buffer = io.BytesIO()
    dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def by_dcmtk(file: bytes, *command: str) -> bytes:
    """Give a file as a program of dcmtk converts it: `by_dcmtk(file, "dcmcjpeg", "+ee")`."""
    if shutil.which(command[0]) is None:
        missing(f"{command[0]} of dcmtk must be installed")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.dcm"), Path(folder, "after.dcm")
        before.write_bytes(file)
        subprocess.run([*command, before, after], check=True, capture_output=True, timeout=60)
        return after.read_bytes()


def _set(made: Dataset, attributes: dict[str, Any]) -> None:
    for keyword, value in attributes.items():
        if value is not None:
            setattr(made, keyword, value)
        elif keyword in made:
            delattr(made, keyword)


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Make an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _of_modality(modality: Literal["DX", "CR"], storage: Storage) -> dict[str, Any]:
    if modality == "CR":
        return {"SOPClassUID": ComputedRadiographyImageStorage, "ImageType": ["ORIGINAL", "PRIMARY"]}
    view = coded("272479007", "SCT", "postero-anterior")
    view.ViewModifierCodeSequence = []
    return {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageLaterality": "U",
        "AnatomicRegionSequence": [coded("816094009", "SCT", "Chest")],
        "ViewCodeSequence": [view],
        "PositionerType": "",
        "AcquisitionContextSequence": [],
        "DetectorType": "DIRECT",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": -1 if storage.inverted else 1,
        "PresentationLUTShape": "INVERSE" if storage.inverted else "IDENTITY",
        "LossyImageCompression": "00",
    }
