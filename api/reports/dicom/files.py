"""What all DICOM objects of an answer have in common, and how they become files. No clock, no chance."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from highdicom.base import SOPClass
from pydicom import dcmwrite
from pydicom.tag import Tag
from pydicom.uid import UID

from api.reports.dicom.attributes import keep_bytes
from api.reports.dicom.source import Source
from api.reports.dicom.texts import plain
from api.reports.identity import as_uid, device_id, uid_of
from api.types import Receipt

MANUFACTURER = "CXR Explain"
_IMPLEMENTATION = UID("2.25.145231434153193509370104182399785615309")  # a UUID drawn once for this writer of files
_LONGEST_VERSION_NAME, _LONGEST_STRING = 16, 64  # characters of SH and LO
# From the clock, and not required: nobody knows when a retry's first answer was made. Of what highdicom says of itself,
# it changes with its version.
_LEFT_OUT = (
    "InstanceCreationDate", "InstanceCreationTime", "DateOfSecondaryCapture", "TimeOfSecondaryCapture",
    "ContributingEquipmentSequence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What identifies the objects of one answer: the image that they are about, and the receipt."""

    source: Source
    receipt: Receipt

    def uid(self, *names: str) -> str:
        """Derive the identifier of something in this answer."""
        return uid_of(self.receipt, "dicom", *names)

    @property
    def device_uid(self) -> str:
        """Identifier of the gateway: the same for all answers of one version of it with one classifier."""
        return as_uid(device_id(self.receipt))

    def series(self, kind: str, number: int, description: str) -> Mapping[str, Any]:
        """Give highdicom's arguments that are the same for all objects of a series."""
        receipt = self.receipt
        model = f"{receipt.model.name} {receipt.model.version}"
        return {
            "series_instance_uid": self.uid("series", kind),
            "series_number": number,
            "series_description": description,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MANUFACTURER,
            "software_versions": [plain(version)[:_LONGEST_STRING] for version in (receipt.service_version, model)],
            "device_serial_number": self.device_uid,
        }

    def file(self, made: SOPClass) -> bytes:
        """Write an object, with the patient and the study of the image, dated like it."""
        for keyword, value in (("ContentDate", self.source.date), ("ContentTime", self.source.time)):
            setattr(made, keyword, value)
        for keyword in _LEFT_OUT:
            made.pop(Tag(keyword), None)
        for element in self.source.copied.elements():
            made[element.tag] = element
        keep_bytes(made)
        made.file_meta.ImplementationClassUID = _IMPLEMENTATION
        made.file_meta.ImplementationVersionName = f"CXR {self.receipt.service_version}"[:_LONGEST_VERSION_NAME]
        buffer = io.BytesIO()
        dcmwrite(buffer, made, enforce_file_format=True)
        return buffer.getvalue()
