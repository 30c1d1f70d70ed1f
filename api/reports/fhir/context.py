"""What all resources of one answer share: their ids, whom they are about, when and on what study."""

from dataclasses import dataclass

from api.reports.fhir.codes import ACCESSION, AI_ASSERTED
from api.reports.fhir.elements import Json, concept, logical_reference
from api.reports.fhir.subject import subject_reference
from api.reports.identity import device_id, is_uid, uuid_of
from api.types import Report, Study


@dataclass(frozen=True, slots=True)
class Context:
    """An answer on the way into a Bundle, about `subject` if there is one."""

    report: Report
    subject: str | None

    def id_of(self, kind: str, name: str = "") -> str:
        """Derive the id of a resource: the same for the same answer about the same subject."""
        about = () if self.subject is None else (self.subject,)
        return str(uuid_of(self.report.receipt, "fhir", kind, name, *about))

    @property
    def device_id(self) -> str:
        """The id of the software with its model: the same for all answers that it gives."""
        return str(device_id(self.report.receipt))

    @property
    def meta(self) -> Json:
        """The label of what a model has said."""
        return {"security": [AI_ASSERTED.coding()]}

    @property
    def about(self) -> Json | None:
        """Whom the answer is about; nothing of that is taken from the input."""
        return None if self.subject is None else subject_reference(self.subject)

    @property
    def acquired(self) -> str | None:
        """When the radiograph was taken: a day, or a moment with its time zone."""
        acquired = self._study.acquired
        return None if acquired is None else acquired.isoformat()

    @property
    def imaging_studies(self) -> list[Json]:
        """The study of the radiograph, by its UID. What is no UID may be anything, and is left out."""
        uid = self._study.instance_uid
        if not is_uid(uid):
            return []
        return [logical_reference("ImagingStudy", {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"})]

    @property
    def orders(self) -> list[Json]:
        """The order of the study, by its accession number."""
        number = self._study.accession_number.strip()
        if not number or not number.isprintable():
            return []
        return [logical_reference("ServiceRequest", {"type": concept(ACCESSION), "value": number})]

    @property
    def _study(self) -> Study:
        source = self.report.radiograph.source
        return Study() if source is None else source.study


def link(identifier: str) -> Json:
    """Give the Reference to a resource of the same Bundle; a server puts its own address in its place."""
    return {"reference": f"urn:uuid:{identifier}"}
