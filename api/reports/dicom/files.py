"""What all DICOM objects of an answer have in common, and how they become files. No clock, no chance."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from highdicom.base import SOPClass
from pydicom import dcmwrite
from pydicom.uid import UID

from api.reports.dicom.attributes import keep_bytes
from api.reports.dicom.source import Source
from api.reports.dicom.texts import plain
from api.reports.identity import uid_of
from api.types import Receipt

MANUFACTURER = "CXR Explain"
_IMPLEMENTATION = UID("2.25.145231434153193509370104182399785615309")  # a UUID drawn once for this writer of files
_LONGEST_VERSION_NAME, _LONGEST_STRING = 16, 64  # characters of SH and LO
_MOMENTS = ("InstanceCreation", "Series", "Content")


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
        nothing = replace(
            self.receipt, input_sha256="", keyed=False, other_models=(), parameters={}, label="", probability=0.0,
            indeterminate=False, mac=None,
        )  # fmt: skip
        return uid_of(nothing, "dicom", "device")

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
        """Write an object, with the patient, the study and the dates of the image."""
        for moment in _MOMENTS:
            setattr(made, f"{moment}Date", self.source.date)
            setattr(made, f"{moment}Time", self.source.time)
        # What highdicom says of itself changes with its version.
        del made.ContributingEquipmentSequence
        for element in self.source.copied.elements():
            made[element.tag] = element
        keep_bytes(made)
        made.file_meta.ImplementationClassUID = _IMPLEMENTATION
        made.file_meta.ImplementationVersionName = f"CXR {self.receipt.service_version}"[:_LONGEST_VERSION_NAME]
        buffer = io.BytesIO()
        dcmwrite(buffer, made, enforce_file_format=True)
        return buffer.getvalue()
