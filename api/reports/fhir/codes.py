"""The codes that an answer uses, each with the display of its own terminology.

There is no display where it would mislead: SNOMED CT calls 272519000 "Absence findings". Systems are those that FHIR R4
names (section 4.3, "Using Codes in resources").
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a terminology."""

    system: str
    code: str
    display: str | None = None

    def coding(self) -> dict[str, Any]:
        """Give it as a Coding."""
        coding = {"system": self.system, "code": self.code}
        return coding if self.display is None else {**coding, "display": self.display}


_HL7 = "http://terminology.hl7.org/CodeSystem/"
_LOINC, _SNOMED_CT, _RADLEX = "http://loinc.org", "http://snomed.info/sct", "http://www.radlex.org"
UCUM = "http://unitsofmeasure.org"

AI_ASSERTED = Code(f"{_HL7}v3-ObservationValue", "AIAST", "Artificial Intelligence asserted")
ACCESSION = Code(f"{_HL7}v2-0203", "ACSN", "Accession ID")
RADIOLOGY = Code(f"{_HL7}v2-0074", "RAD", "Radiology")
IMAGING = Code(f"{_HL7}observation-category", "imaging", "Imaging")
IMAGE = Code(f"{_HL7}media-type", "image", "Image")
PERFORMER = Code(f"{_HL7}provenance-participant-type", "performer", "Performer")
CREATE = Code(f"{_HL7}v3-DataOperation", "CREATE", "create")
POSITIVE = Code(f"{_HL7}v3-ObservationInterpretation", "POS", "Positive")
NEGATIVE = Code(f"{_HL7}v3-ObservationInterpretation", "NEG", "Negative")
INDETERMINATE = Code(f"{_HL7}v3-ObservationInterpretation", "IND", "Indeterminate")

CHEST_RADIOGRAPH = Code(_LOINC, "36554-4", "XR Chest Single view")
PNEUMONIA_PROBABILITY = Code(
    _LOINC, "103815-7", "Pneumonia probability [Likelihood] Artificial intelligence based calculation"
)
PNEUMONIA = Code(_SNOMED_CT, "233604007", "Pneumonia")
PNEUMONIA_RADLEX = Code(_RADLEX, "RID5350", "pneumonia")
PRESENT = Code(_SNOMED_CT, "52101004", "Present")
ABSENT = Code(_SNOMED_CT, "272519000")
UNDETERMINED = Code(_SNOMED_CT, "371934000", "Normality undetermined")
LUNG = Code(_SNOMED_CT, "39607008", "Lung structure")
SOFTWARE = Code(_SNOMED_CT, "706689003", "Application program software")
