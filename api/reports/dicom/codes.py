"""Codes of the DICOM objects.

From PS3.16, annex D (DCM), from SNOMED CT (SCT), LOINC (LN) and UCUM, and which of them a method's picture has.
"""

from collections.abc import Mapping

from highdicom.sr import CodedConcept


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "SCT", meaning)


# What was done, looked at and looked for.
SINGLE_VIEW = CodedConcept("36554-4", "LN", "XR Chest Single view")
PNEUMONIA = _sct("233604007", "Pneumonia")
LUNG = _sct("39607008", "Lung")
RIGHT = _sct("24028007", "Right")
LEFT = _sct("7771000", "Left")

# What was found.
PRESENCE = _dcm("121052", "Presence of property")
PRESENT = _sct("52101004", "Present")
ABSENT = _sct("272519000", "Absent")
INDETERMINATE = _sct("371934000", "Normality Undetermined")
CERTAINTY = _dcm("111012", "Certainty of Finding")
PERCENT = CodedConcept("%", "UCUM", "Percent")

# Texts, and the container of those that are about the whole report.
QUALITATIVE_EVALUATIONS = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
SUMMARY = _dcm("121111", "Summary")
IMAGE_QUALITY = _dcm("111101", "Image Quality")
COMMENT = _dcm("121106", "Comment")

# Pictures.
SOURCE_OF_PICTURE = _dcm("121322", "Source image for image processing operation")
VISUAL_EXPLANATION = _dcm("130401", "Visual explanation")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
QUANTITY = _sct("246205007", "Quantity")
_SALIENCY = _dcm("130404", "Saliency")
_GRADIENT_WEIGHTED = _dcm("130403", "Gradient-weighted class activation")
# PS3.16, CID 217. There is no code for what hiding a region does, nor for what does not look at the classifier.
EXPLANATION_TYPES: Mapping[str, CodedConcept] = {
    "saliency": _SALIENCY,
    "grad_cam": _GRADIENT_WEIGHTED,
    "grad_cam_plus_plus": _GRADIENT_WEIGHTED,
}
