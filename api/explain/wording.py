"""What the pictures of an answer say together, in two to five plain sentences for a clinician.

Sides are the viewer's, and the patient's beside them. No sentence says that there is disease at a place: a picture
shows what a method points to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from api.explain.evidence import Evidence
from api.explain.whereabouts import Lungs, decisive
from api.types import AffectedRegion, Agreement, Disputed, MethodTrust, NoRegionReason, Pair, Side, TrustFlag, Zone

_NAMES = {"grad_cam": "Grad-CAM", "grad_cam_plus_plus": "Grad-CAM++"}
_SIDES: Mapping[Side, str] = {"image_left": "the left of the image", "image_right": "the right of the image"}
_OF_THE_PATIENT: Mapping[Side, str] = {"image_left": "the patient's right", "image_right": "the patient's left"}
_DISPUTES: Mapping[Disputed, str] = {"side": "the side", "zone": "the height in the lungs"}
_NO_REGION: Mapping[NoRegionReason, str] = {
    "methods disagree": "they do not agree on a place in the lungs",
    "no lungs found": "no lungs were found in the image",
    "no evidence": "too few of them mark anything in the lungs",
}
_DOUBTS: Mapping[TrustFlag, str] = {
    "outside_lungs": "{methods} {fall} on the lungs less than chance would",
    "unstable": "{methods} {change} when the image is moved slightly",
    "fails_randomisation": "{methods} {show} much the same for a model that has learned nothing",
    "constant": "{methods} {say} nothing about this image",
    "non_finite": "{methods} could not be computed",
}
_REASONS_AGAINST = frozenset(_DOUBTS) | {"independent_of_classifier"}
_VERBS = {"fall": ("falls", "fall"), "show": ("shows", "show"), "change": ("changes", "change"), "say": ("says", "say")}
_MOSTLY, _PARTLY = 0.6, 0.3  # overlaps from which methods are said to agree well, or in part
_NO_DISEASE = "the pictures show what the methods point to, not that there is disease"


def describe(
    evidence: Mapping[str, Evidence],
    lungs: Lungs | None,
    agreement: Agreement | None,
    region: AffectedRegion | NoRegionReason,
    trust: Mapping[str, MethodTrust],
) -> str:
    """Say what the answer is based on, where the methods point, whether they agree, and how far to trust them."""
    if not evidence:
        return (
            "None of the explanations asked for says anything about a place in this image. "
            "Nothing can be said of what the result rests on."
        )
    sentences = [_basis(evidence, trust), _places(evidence, lungs), _comparison(agreement), _outlined(region)]
    return _with_patient(" ".join([*sentences, _judgement(evidence, agreement, trust)]))


def name_of(method: str) -> str:
    """Give the name of a method as it stands in a sentence."""
    return _NAMES.get(method, method.replace("_", " "))


def listed(methods: Iterable[str]) -> str:
    """Join the names of methods: ``a, b and c``."""
    *first, last = (name_of(method) for method in methods)
    return f"{', '.join(first)} and {last}" if first else last


def _basis(evidence: Mapping[str, Evidence], trust: Mapping[str, MethodTrust]) -> str:
    apart = [method for method in evidence if "independent_of_classifier" in trust[method].flags]
    inside = [method for method in evidence if method not in apart]
    parts = []
    if inside:
        parts.append(f"{listed(inside)}, which {_agree(inside, 'shows', 'show')} what the model reacted to")
    if apart:
        parts.append(f"{listed(apart)}, which {_agree(apart, 'looks', 'look')} at the image without asking the model")
    return f"The explanation rests on {', and on '.join(parts)}."


def _places(evidence: Mapping[str, Evidence], lungs: Lungs | None) -> str:
    if lungs is None:
        return "No lungs were found in the image, so nobody can say where in the lungs the methods point."
    groups: dict[str, list[str]] = {}
    for method, each in evidence.items():
        groups.setdefault(_place(each, lungs), []).append(method)
    told = [f"{listed(methods)} {_agree(methods, 'points', 'point')} {place}" for place, methods in groups.items()]
    return f"In the lungs, {'; '.join(told)}."


def _with_patient(text: str) -> str:
    """Say whose side it is where a side is named first."""
    for side, words in _SIDES.items():
        text = text.replace(words, f"{words} (in a standard frontal view {_OF_THE_PATIENT[side]})", 1)
    return text


def _place(evidence: Evidence, lungs: Lungs) -> str:
    if not evidence.heat[lungs.mask].any():
        return "nowhere"
    side, zone = decisive(evidence.heat, lungs.sides), decisive(evidence.heat, lungs.zones)
    if side is None and zone is None:
        return "to no particular part"
    where = f"to {_SIDES[side]}" if side else "to both sides"
    return f"{where}, mostly in {_thirds([zone])}" if zone else where


def _thirds(zones: Sequence[Zone]) -> str:
    if len(zones) == 3:
        return "all thirds of the height"
    return f"the {' and '.join(zones)} third{'s' if len(zones) > 1 else ''}"


def _comparison(agreement: Agreement | None) -> str:
    if agreement is None:
        return "No other method says anything, so there is nothing to compare this with."
    if agreement.contradicting:
        return f"They contradict each other: {'; '.join(_disputes(agreement.contradicting))}."
    well = "agree well" if agreement.score >= _MOSTLY else "agree in part"
    if agreement.score < _PARTLY:
        well = "mark different places"
    shared = f"on average {agreement.score:.0%} of the smaller marked area is shared"
    return f"They do not contradict each other, and {well}: {shared}."


def _disputes(pairs: Iterable[Pair]) -> Iterable[str]:
    """Say who differs from whom: methods that differ from the same ones are named together."""
    for what, words in _DISPUTES.items():
        against: dict[str, list[str]] = {}
        for first, second in (pair.methods for pair in pairs if what in pair.disputed):
            against.setdefault(first, []).append(second)
        together: dict[tuple[str, ...], list[str]] = {}
        for method, others in against.items():
            together.setdefault(tuple(others), []).append(method)
        if together:
            told = (f"{listed(methods)} against {listed(others)}" for others, methods in together.items())
            yield f"about {words}, {', and '.join(told)}"


def _outlined(region: AffectedRegion | NoRegionReason) -> str:
    if not isinstance(region, AffectedRegion):
        return f"No region is outlined: {_NO_REGION[region]}."
    side = _SIDES[region.sides[0]] if len(region.sides) == 1 else "both sides"
    where = f"takes up {region.share_of_lungs:.0%} of the lungs, on {side}, in {_thirds(region.zones)}"
    return f"The outlined region {where}; {listed(region.methods)} {_agree(region.methods, 'marks', 'mark')} it."


def _judgement(evidence: Mapping[str, Evidence], agreement: Agreement | None, trust: Mapping[str, MethodTrust]) -> str:
    doubts = [*_doubts(evidence, agreement, trust)]
    if not doubts:
        return f"Nothing that was checked speaks against the pictures; still, {_NO_DISEASE}."
    sound = [method for method in evidence if _REASONS_AGAINST.isdisjoint(trust[method].flags)]
    little = not sound or _split_in_side(agreement, sound)
    return f"Trust this {'little' if little else 'with caution'}: {'; '.join(doubts)}; and {_NO_DISEASE}."


def _doubts(
    evidence: Mapping[str, Evidence], agreement: Agreement | None, trust: Mapping[str, MethodTrust]
) -> Iterable[str]:
    if all("independent_of_classifier" in trust[method].flags for method in evidence):
        yield "no method shows what the model reacted to"
    if agreement is not None and agreement.contradicting:
        yield "the methods contradict each other"
    for flag, words in _DOUBTS.items():
        methods = [method for method, judged in trust.items() if flag in judged.flags]
        if methods:
            verbs = {verb: _agree(methods, *forms) for verb, forms in _VERBS.items()}
            yield words.format(methods=listed(methods), **verbs)


def _split_in_side(agreement: Agreement | None, methods: Collection[str]) -> bool:
    pairs = () if agreement is None else agreement.contradicting
    return any("side" in pair.disputed and set(pair.methods).issubset(methods) for pair in pairs)


def _agree(methods: Iterable[str], one: str, several: str) -> str:
    """Choose the form of a verb by the number of methods."""
    return one if len([*methods]) == 1 else several
