"""What the tags of a DICOM object say of whether it is a frontal view of a chest, and what they do not say.

Tags are often missing and sometimes wrong, so that only a plain statement refuses: a lateral view, another part of the
body, another kind of picture. Whatever is missing or not understood is a warning, and the pixels decide.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.sr.codedict import codes

from api.errors import GatewayError, NotAChestRadiograph, UnsupportedView
from api.types import Acquisition

LATERAL, OTHER_BODY_PART, NOT_A_RADIOGRAPH = "lateral", "other_body_part", "not_a_radiograph"
VIEW_UNKNOWN, BODY_PART_UNKNOWN, MODALITY_UNKNOWN = "view_unknown", "body_part_unknown", "modality_unknown"
ROTATED, MIRRORED = "rotated", "mirrored"
BURNED_IN, FOR_PROCESSING = "burned_in_annotation", "for_processing"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Modalities (PS3.3, section C.7.3.1.1.1) of projection radiography, and those that say nothing: other, and conversions.
_RADIOGRAPHY = frozenset({"CR", "DX", "RG"})
# DR and XR are not defined, but written.
_ANY_MODALITY = frozenset({"", "OT", "SC", "DR", "XR"})
# View positions (PS3.3, sections C.8.1.1 and C.8.11.5): lateral, oblique, decubitus; and what scanners write for these.
_FRONTAL = frozenset({"AP", "PA"})
_NOT_FRONTAL = _words("LL RL LLD RLD LLO RLO LAO LPO RAO RPO LAT LATERAL OBLIQUE DECUBITUS")
# The same as codes of SNOMED CT and, in older objects, SNOMED RT (PS3.16, CID 4010).
_FRONTAL_CODES = frozenset({"399033003", "399348003", "272479007", "R-10202", "R-10206", "R-10214", "R-40888"})
_NOT_FRONTAL_CODES = _words(
    """
    399067008 399198007 399173006 399260004 399352003 399038007 399135007 399236003 399356000 399184004 399006002
    399182000 399059000 399312000 260427002 R-102CD R-10232 R-10236 R-10224 R-10228 R-10210 R-10220 R-10234 R-40985
    R-10238 R-10212 R-102C1 R-10216 R-10208 R-40783
    """
)
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG")
_CHEST_CODES = frozenset({"816094009", "51185008", "39607008", "T-D3000", "T-28000"})  # chest, thorax, lung
# Regions (PS3.16, CID 4031) that a chest radiograph shows, so that they do not speak against one.
_ON_A_CHEST = _words(
    """
    Bronchus Chest ChestAbdomenAndPelvis ChestAndAbdomen EntireBody Esophagus Heart Lung Mediastinum NeckAndChest
    NeckChestAbdomenAndPelvis NeckChestAndAbdomen Rib Sternum Thorax Trachea
    """
)
_OTHER_REGION_CODES = frozenset(
    getattr(codes.cid4031, name).value for name in codes.cid4031.dir() if name not in _ON_A_CHEST
)
# Body parts (PS3.16, annex L) that a radiograph may be taken of and that are no chest. Other words say nothing.
_OTHER_BODY_PARTS = _words(
    """
    ABDOMEN ANKLE ARM BREAST CALCANEUS CALF CLAVICLE COCCYX CSPINE CERVICALSPINE EAR ELBOW EXTREMITY EYE FACE FEMUR
    FINGER FOOT FOREARM HAND HEAD HIP HUMERUS JAW KIDNEY KNEE LEG LSPINE LUMBARSPINE LOWERLEG MANDIBLE MAXILLA NECK
    ORBIT PANCREAS PATELLA PELVIS RADIUS SCAPULA SHOULDER SINUS SKULL SPINE SSPINE SACRUM THORACICSPINE TIBIA TOE TSPINE
    THIGH UPPERARM WRIST ZYGOMA
    """
)


_Make = Callable[[], GatewayError]
_REFUSALS: Mapping[str, _Make] = {
    NOT_A_RADIOGRAPH: lambda: NotAChestRadiograph(
        "The DICOM tag Modality must be CR or DX. Received: another modality. Send a frontal chest radiograph."
    ),
    OTHER_BODY_PART: lambda: UnsupportedView(
        "The DICOM tag Body Part Examined must be CHEST. Received: another body part. Send a frontal chest radiograph."
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
    yield from _body_part(_term(acquisition.body_part), acquisition.region_codes)
    yield from _view(_tokens(acquisition.view_position), acquisition.view_codes, acquisition.patient_orientation)
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
    chest = any(word in body_part for word in _CHEST_WORDS) or not _CHEST_CODES.isdisjoint(region_codes)
    elsewhere = not body_part and not _OTHER_REGION_CODES.isdisjoint(region_codes)
    if body_part in _OTHER_BODY_PARTS or (elsewhere and not chest):
        yield OTHER_BODY_PART
    elif not chest:
        yield BODY_PART_UNKNOWN


def _view(position: frozenset[str], view_codes: tuple[str, ...], orientation: tuple[str, ...]) -> Iterator[str]:
    from_the_side = orientation[:1] != () and _letter(orientation[0]) in ("A", "P")
    if position & _NOT_FRONTAL or not _NOT_FRONTAL_CODES.isdisjoint(view_codes) or from_the_side:
        yield LATERAL
    elif not position & _FRONTAL and _FRONTAL_CODES.isdisjoint(view_codes):
        yield VIEW_UNKNOWN


def _orientation(orientation: tuple[str, ...]) -> Iterator[str]:
    """Compare with the way radiographs are hung: rows run to the patient's left, columns to the feet."""
    if len(orientation) != 2:
        return
    along_rows, along_columns = map(_letter, orientation)
    if along_rows in ("H", "F") or along_columns == "H":
        yield ROTATED
    elif along_rows == "R" and along_columns == "F":
        yield MIRRORED


def _letter(direction: str) -> str:
    # The first letter is the main direction, further ones tilt it.
    return _term(direction)[:1]


def _tokens(value: str) -> frozenset[str]:
    return frozenset(re.findall("[A-Z0-9]+", value.upper()))


def _term(value: str) -> str:
    return "".join(character for character in value.upper() if character.isalnum())
