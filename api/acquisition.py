"""What the tags of a DICOM object say of whether it is a frontal view of a chest, and what they do not say.

Tags are often missing and sometimes wrong, so that only a plain statement refuses: a lateral view, another part of the
body, another kind of picture. Whatever is missing or not understood is a warning, and the pixels decide.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from api.errors import GatewayError, NotAChestRadiograph, UnsupportedView
from api.quality import names_chest
from api.types import Acquisition

LATERAL, OTHER_BODY_PART, NOT_A_RADIOGRAPH = "lateral", "other_body_part", "not_a_radiograph"
VIEW_UNKNOWN, BODY_PART_UNKNOWN, MODALITY_UNKNOWN = "view_unknown", "body_part_unknown", "modality_unknown"
ROTATED, MIRRORED, ORIENTATION_UNKNOWN = "rotated", "mirrored", "orientation_unknown"
BURNED_IN, FOR_PROCESSING = "burned_in_annotation", "for_processing"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Modalities (PS3.3, section C.7.3.1.1.1) of projection radiography, and those that say nothing: other, and conversions.
_RADIOGRAPHY = frozenset({"CR", "DX", "RG"})
# DR and XR are not defined, but written; fluoroscopy rooms take radiographs, too.
_ANY_MODALITY = frozenset({"", "OT", "SC", "DR", "XR", "RF"})
# View positions (PS3.3, sections C.8.1.1 and C.8.11.5): lateral, oblique, decubitus; and what scanners write for these.
_FRONTAL = _words("AP PA FRONTAL ANTEROPOSTERIOR POSTEROANTERIOR")
_NOT_FRONTAL = _words("LL RL LLD RLD LLO RLO LAO LPO RAO RPO LAT LLAT RLAT LATERAL OBL OBLIQUE DECUB DECUBITUS XTABLE")
# The same as codes of SNOMED CT and, in older objects, SNOMED RT (PS3.16, CID 4010).
_FRONTAL_CODES = frozenset({"399033003", "399348003", "272479007", "R-10202", "R-10206", "R-10214", "R-40888"})
_NOT_FRONTAL_CODES = _words(
    """
    399067008 399198007 399173006 399260004 399352003 399038007 399135007 399236003 399356000 399184004 399006002
    399182000 399059000 399312000 260427002 R-102CD R-10232 R-10236 R-10224 R-10228 R-10210 R-10220 R-10234 R-40985
    R-10238 R-10212 R-102C1 R-10216 R-10208 R-40783
    """
)
# Regions (PS3.16, CID 4031) that a chest radiograph shows, so that they do not speak against one.
_ON_A_CHEST = _words(
    """
    ApexOfLung Bronchus Chest ChestAbdomenAndPelvis ChestAndAbdomen EntireBody Esophagus Heart Lung Mediastinum
    NeckAndChest NeckChestAbdomenAndPelvis NeckChestAndAbdomen Rib Sternum Thorax Trachea
    """
)
_OTHER_REGIONS = tuple(getattr(codes.cid4031, name) for name in codes.cid4031.dir() if name not in _ON_A_CHEST)
# Body parts (PS3.16, annex L) that a radiograph may be taken of and that are no chest. Other words say nothing.
_OTHER_BODY_PARTS = _words(
    """
    ABDOMEN ABDOMENPELVIS ANKLE ARM BREAST CALCANEUS CALF CLAVICLE COCCYX CSPINE CERVICALSPINE EAR ELBOW EXTREMITY EYE
    FACE FEMUR FINGER FOOT FOREARM HAND HEAD HEEL HIP HUMERUS JAW KIDNEY KNEE LEG LSPINE LSSPINE LUMBARSPINE LOWERLEG
    MANDIBLE MAXILLA NECK ORBIT PANCREAS PATELLA PELVIS RADIUS SCAPULA SHOULDER SINUS SKULL SPINE SSPINE SACRUM
    THORACICSPINE THUMB TIBIA TLSPINE TOE TSPINE THIGH UPPERARM WRIST ZYGOMA
    """
)


_Make = Callable[[], GatewayError]
_REFUSALS: Mapping[str, _Make] = {
    NOT_A_RADIOGRAPH: lambda: NotAChestRadiograph(
        "The DICOM tag Modality must be CR or DX. Received: another modality. Send a frontal chest radiograph."
    ),
    OTHER_BODY_PART: lambda: UnsupportedView(
        "The DICOM tags Body Part Examined and Anatomic Region must name the chest. Received: another part. "
        "Send a frontal chest radiograph."
    ),
    LATERAL: lambda: UnsupportedView(
        "The DICOM tags must describe a frontal view, AP or PA. Received: a lateral, oblique or decubitus view. "
        "Send the frontal view of the study."
    ),
}


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the tags come to: codes of warnings, and the refusal if they plainly speak against the image.

    A refusal has its code among the warnings, for those who want to be warned only.
    """

    warnings: tuple[str, ...] = ()
    refusal: GatewayError | None = None


def read_tags(acquisition: Acquisition) -> Tagged:
    """Judge what the tags say.

    Refused are a modality that is no projection radiography, a body part or, without one, a region that is no chest,
    and a view that is not frontal, be it named by View Position, View Code Sequence or the Patient Orientation of its
    rows.
    """
    warnings = tuple(dict.fromkeys(_warnings(acquisition)))
    refused = next((warning for warning in warnings if warning in _REFUSALS), None)
    return Tagged(warnings, _REFUSALS[refused]() if refused else None)


def _warnings(acquisition: Acquisition) -> Iterator[str]:
    yield from _modality(_term(acquisition.modality))
    yield from _body_part(acquisition.body_part, acquisition.region_codes)
    yield from _view(_terms(acquisition.view_position), acquisition.view_codes, acquisition.patient_orientation)
    yield from _orientation(acquisition.patient_orientation)
    if _term(acquisition.burned_in_annotation) == "YES":
        yield BURNED_IN
    if _term(acquisition.presentation_intent) == "FORPROCESSING":
        yield FOR_PROCESSING


def _modality(modality: str) -> Iterator[str]:
    if modality in _ANY_MODALITY:
        yield MODALITY_UNKNOWN
    elif modality not in _RADIOGRAPHY:
        yield NOT_A_RADIOGRAPH


def _body_part(body_part: str, region_codes: tuple[str, ...]) -> Iterator[str]:
    terms = _terms(body_part)
    singular = {term.removesuffix("S") for term in terms}
    if not names_chest(body_part, ()) and not _OTHER_BODY_PARTS.isdisjoint(terms | singular):
        yield OTHER_BODY_PART
    elif not names_chest(body_part, region_codes):
        yield BODY_PART_UNKNOWN if terms or not any(map(_is_elsewhere, region_codes)) else OTHER_BODY_PART


def _is_elsewhere(region_code: str) -> bool:
    # In SNOMED CT or, as in older objects, in SNOMED RT: pydicom knows which codes are the same.
    return any(Code(region_code, scheme, "") == region for scheme in ("SCT", "SRT") for region in _OTHER_REGIONS)


def _view(position: frozenset[str], view_codes: tuple[str, ...], orientation: tuple[str, ...]) -> Iterator[str]:
    from_the_side = len(orientation) > 1 and _letter(orientation[0]) in ("A", "P")
    if position & _NOT_FRONTAL or not _NOT_FRONTAL_CODES.isdisjoint(view_codes) or from_the_side:
        yield LATERAL
    elif not position & _FRONTAL and _FRONTAL_CODES.isdisjoint(view_codes):
        yield VIEW_UNKNOWN


def _orientation(orientation: tuple[str, ...]) -> Iterator[str]:
    """Compare with the way radiographs are hung: rows run to the patient's left, columns to the feet.

    It is often not told; that is no warning. What is told and cannot be read is one. Rows that run to the front or the
    back are those of a lateral view, and no matter of how that is hung.
    """
    along_rows, along_columns, *_ = (*map(_letter, orientation), "", "")
    if not any(orientation) or (along_rows in ("A", "P") and len(orientation) > 1):
        return
    if along_rows in ("H", "F") or along_columns == "H":
        yield ROTATED
    elif along_rows == "R" and along_columns == "F":
        yield MIRRORED
    elif (along_rows, along_columns) != ("L", "F") or len(orientation) != 2:
        yield ORIENTATION_UNKNOWN


def _letter(direction: str) -> str:
    # The first letter is the main direction, further ones tilt it.
    return _term(direction)[:1]


def _terms(value: str) -> frozenset[str]:
    """Give the words of a value, and all of them as one: L-SPINE is LSPINE, and HAND_R a hand."""
    words = re.findall("[A-Z0-9]+", value.upper())
    return frozenset([*words, "".join(words)]) - {""}


def _term(value: str) -> str:
    return "".join(character for character in value.upper() if character.isalnum())
