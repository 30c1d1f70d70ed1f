"""What the pictures of an answer say together, in at most five plain sentences for a clinician.

Sides are the viewer's, and the patient's beside them. No sentence says that there is disease at a place: a picture
shows what a method points to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from api.explain.evidence import Evidence
from api.explain.whereabouts import Lungs, decisive
from api.quality import HIDING_THE_PATIENTS_SIDES, LUNGS_NOT_FOUND, NOT_A_CHEST_RADIOGRAPH
from api.types import (
    AffectedRegion,
    Agreement,
    Disputed,
    Judged,
    MethodTrust,
    NoLungs,
    NoRegionReason,
    Pair,
    Side,
    TrustFlag,
    Zone,
)

_NAMES = {"grad_cam": "Grad-CAM", "grad_cam_plus_plus": "Grad-CAM++"}
_SIDES: Mapping[Side, str] = {"image_left": "the left of the image", "image_right": "the right of the image"}
_OF_THE_PATIENT: Mapping[Side, str] = {"image_left": "the patient's right", "image_right": "the patient's left"}
_DISPUTES: Mapping[Disputed, str] = {"side": "the side", "zone": "the height in the lungs"}
_NO_LUNGS: Mapping[NoLungs, str] = {
    "no lungs found": "No lungs were found in the image, so nobody can say where in the lungs the methods point.",
    "lungs unknown": "Where the lungs are is unknown, as no lung model is served.",
}
_NO_REGION: Mapping[NoRegionReason, str] = {
    "methods disagree": "they do not agree on a place in the lungs",
    "too few methods": "that takes two methods that look at the model and depend on what it has learned",
    "no evidence": "too few of them mark anything in the lungs",
}
_WARNINGS: Mapping[str, str] = {
    NOT_A_CHEST_RADIOGRAPH: "the image does not look like a chest radiograph",
    "not_a_radiograph": "the image is said to be no radiograph",
    "other_body_part": "the image is said to show another part of the body",
    "rotated": "the image seems to be rotated",
    "inverted": "the image seems to be inverted",
    "lateral": "the image seems to be taken from the side",
    "mirrored": "the image is said to be mirrored",
    "orientation_unknown": "how the image is oriented is not clear",
    LUNGS_NOT_FOUND: "no lungs were found in the image",
}
_HIDING_THE_HEIGHT = frozenset((NOT_A_CHEST_RADIOGRAPH, "rotated"))
_DOUBTS: Mapping[TrustFlag, str] = {
    "unstable": "{methods} {change} when the image is moved slightly",
    "fails_randomisation": "{methods} {show} much the same for a model that has learned nothing",
    "unfaithful": "{methods} {pick} areas that matter to the model no more than the rest",
    "non_finite": "{methods} could not be computed",
}
_REASONS_AGAINST = frozenset(_DOUBTS) | {"outside_lungs", "constant", "independent_of_classifier"}
_VERBS = {
    verb: (f"{verb}s", verb)
    for verb in ("change", "depend", "find", "lie", "look", "mark", "pick", "point", "say", "show")
} | {"are": ("is", "are")}
_MOSTLY, _PARTLY = 0.6, 0.3  # overlaps from which methods are said to agree well, or in part
_NO_DISEASE = "the pictures show what the methods point to, not that there is disease"


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to tell about an answer.

    `trust` holds every method that can say something of places, `evidence` those that do, `finding_nothing` those
    that found that nothing speaks for pneumonia, and `unmeasured` those that may not depend on what the model has
    learned, as nobody has measured it.
    """

    judged: Judged
    evidence: Mapping[str, Evidence]
    lungs: Lungs | NoLungs
    agreement: Agreement | None
    region: AffectedRegion | NoRegionReason
    trust: Mapping[str, MethodTrust]
    finding_nothing: Collection[str] = ()
    unmeasured: Collection[str] = ()

    def flagged(self, flag: TrustFlag) -> Sequence[str]:
        """Give the methods with a flag."""
        return [method for method, judged in self.trust.items() if flag in judged.flags]

    def speaking(self, *, without: Collection[str]) -> Sequence[str]:
        """Give the methods with evidence and none of some flags."""
        return [method for method in self.evidence if not {*self.trust[method].flags} & {*without}]


def describe(facts: Facts) -> str:
    """Say which answer is explained, on what, where the methods point, whether they agree, and how far to trust them.

    The places are those of the methods that count: they look at the model, depend on it and lie on the lungs.
    """
    answer = _answer(facts.judged)
    if not facts.evidence:
        return f"{answer} {_nothing(facts)} Nothing can be said of what the result rests on."
    together = "; ".join(filter(None, (_comparison(facts), _outlined(facts))))
    sentences = (answer, _basis(facts), _places(facts), f"{together}.", _judgement(facts))
    text = " ".join(filter(None, sentences))
    return text if HIDING_THE_PATIENTS_SIDES & {*facts.judged.warnings} else _with_patient(text)


def name_of(method: str) -> str:
    """Give the name of a method as it stands in a sentence."""
    return _NAMES.get(method, method.replace("_", " "))


def listed(methods: Iterable[str]) -> str:
    """Join the names of methods: ``a, b and c``."""
    return _joined([name_of(method) for method in methods])


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _answer(judged: Judged) -> str:
    prediction = judged.prediction
    says = f"The model says {prediction.label}{' (indeterminate)' if prediction.indeterminate else ''}"
    if judged.positive:
        return f"{says}."
    return f"{says}; the pictures show what spoke for pneumonia nevertheless."


def _nothing(facts: Facts) -> str:
    doubts = [*_doubts(facts)]
    return f"None of the explanations asked for marks a place in this image{': ' if doubts else ''}{'; '.join(doubts)}."


def _basis(facts: Facts) -> str:
    apart = [method for method in facts.evidence if method in facts.flagged("independent_of_classifier")]
    failing = [method for method in facts.evidence if method in facts.flagged("fails_randomisation")]
    told = {
        "which {are} computed from the model": facts.speaking(
            without=("independent_of_classifier", "fails_randomisation")
        ),
        "which hardly {depend} on what the model has learned": failing,
        "which {look} at the image without asking the model": [each for each in apart if each not in failing],
    }
    parts = [f"{listed(methods)}, {_said(words, methods)}" for words, methods in told.items() if methods]
    return f"The explanation rests on {', and on '.join(parts)}."


def _places(facts: Facts) -> str:
    if not isinstance(facts.lungs, Lungs):
        return _NO_LUNGS[facts.lungs]
    groups: dict[str, list[str]] = {}
    for method in facts.speaking(without=("independent_of_classifier", "fails_randomisation", "outside_lungs")):
        groups.setdefault(_place(facts, facts.evidence[method], facts.lungs), []).append(method)
    told = [_said(f"{{methods}} {{point}} {place}", methods) for place, methods in groups.items()]
    return f"In the lungs, {'; '.join(told)}." if told else ""


def _with_patient(text: str) -> str:
    """Say whose side it is where a side is named first."""
    for side, words in _SIDES.items():
        text = text.replace(words, f"{words} (in a standard frontal view {_OF_THE_PATIENT[side]})", 1)
    return text


def _place(facts: Facts, evidence: Evidence, lungs: Lungs) -> str:
    side = decisive(evidence.heat, lungs.sides)
    zone = None if _hides_height(facts) else decisive(evidence.heat, lungs.zones)
    if side is None and zone is None:
        return "to no particular part"
    where = f"to {_SIDES[side]}" if side else "to both sides"
    return f"{where}, mostly in {_thirds([zone])}" if zone else where


def _hides_height(facts: Facts) -> bool:
    return not _HIDING_THE_HEIGHT.isdisjoint(facts.judged.warnings)


def _thirds(zones: Sequence[Zone]) -> str:
    if len(zones) == 3:
        return "all thirds of the height"
    return f"the {' and '.join(zones)} third{'s' if len(zones) > 1 else ''}"


def _comparison(facts: Facts) -> str:
    agreement = facts.agreement
    if agreement is None:
        return "No other method says anything, so there is nothing to compare this with"
    if agreement.contradicting:
        return f"The methods contradict each other: {_disputes(facts.evidence, agreement.contradicting)}"
    shared = f"on average {agreement.score:.0%} of the smaller marked area is shared"
    if agreement.score < _PARTLY:
        return f"The methods mark largely different places: {shared}"
    well = f"The methods agree {'well' if agreement.score >= _MOSTLY else 'in part'} ({shared})"
    # Whoever misses the lungs cannot contradict anybody about places in them.
    looked = isinstance(facts.lungs, Lungs) and len(facts.speaking(without=("outside_lungs",))) > 1
    return f"{well}, and point to no opposite sides or heights" if looked else well


def _disputes(methods: Iterable[str], pairs: Iterable[Pair]) -> str:
    """Say who takes part in which dispute; who differs from whom is in the pairs."""
    disputes: dict[tuple[str, ...], list[str]] = {}
    for what, words in _DISPUTES.items():
        involved = {method for pair in pairs if what in pair.disputed for method in pair.methods}
        if involved:
            disputes.setdefault(tuple(method for method in methods if method in involved), []).append(words)
    return ", and ".join(f"{listed(involved)} about {_joined(words)}" for involved, words in disputes.items())


def _outlined(facts: Facts) -> str:
    """Say what is outlined, or why nothing is; without lungs, the reason has been told."""
    region = facts.region
    if not isinstance(region, AffectedRegion):
        return f"no region is outlined: {_NO_REGION[region]}" if region in _NO_REGION else ""
    side = _SIDES[region.sides[0]] if len(region.sides) == 1 else "both sides"
    third = "" if _hides_height(facts) else f", in {_thirds(region.zones)}"
    who = _said("{methods} {mark}", region.methods) if region.methods else "most of them mark"
    together = " together" if len(region.methods) > 1 else ""
    part = f"{region.share_of_lungs:.0%} of the lungs, on {side}{third}"
    return f"the largest part that {who}{together} is outlined: {part}"


def _judgement(facts: Facts) -> str:
    doubts = [*_doubts(facts)]
    if not doubts:
        return f"Nothing that was checked speaks against the pictures; still, {_NO_DISEASE}."
    sound = facts.speaking(without=_REASONS_AGAINST)
    little = not sound or any(_warned(facts)) or _split_in_side(facts.agreement, sound)
    return f"Trust this {'little' if little else 'with caution'}: {'; '.join(doubts)}; and {_NO_DISEASE}."


def _doubts(facts: Facts) -> Iterable[str]:
    yield from _warned(facts)
    yield from _doubts_about_all(facts)
    outside, silent = facts.flagged("outside_lungs"), facts.flagged("constant")
    beside = [method for method in outside if not facts.trust[method].lung_energy]
    about: Mapping[str, Sequence[str]] = {
        "{methods} {lie} mostly outside the lungs": [method for method in outside if method not in beside],
        "{methods} {mark} nothing in the lungs": beside,
        **{words: facts.flagged(flag) for flag, words in _DOUBTS.items()},
        "{methods} {find} nothing that speaks for pneumonia": [
            each for each in silent if each in facts.finding_nothing
        ],
        "{methods} {say} nothing about this image": [each for each in silent if each not in facts.finding_nothing],
        "it was not measured whether {methods} {depend} on what the model has learned": [*facts.unmeasured],
    }
    yield from (_said(words, methods) for words, methods in about.items() if methods)


def _warned(facts: Facts) -> Iterable[str]:
    return (words for code, words in _WARNINGS.items() if code in facts.judged.warnings)


def _doubts_about_all(facts: Facts) -> Iterable[str]:
    if facts.evidence and not facts.speaking(without=("independent_of_classifier",)):
        yield "no method is computed from the model"
    if len(facts.evidence) == 1:
        yield "only one method speaks"
    if facts.agreement is not None and facts.agreement.contradicting:
        yield "the methods contradict each other"
    elif facts.agreement is not None and facts.agreement.score < _PARTLY:
        yield "the methods mark largely different places"


def _split_in_side(agreement: Agreement | None, methods: Collection[str]) -> bool:
    pairs = () if agreement is None else agreement.contradicting
    return any("side" in pair.disputed and set(pair.methods).issubset(methods) for pair in pairs)


def _said(words: str, methods: Collection[str]) -> str:
    """Fill in names, and verbs in the form that the number of methods asks for."""
    verbs = {verb: one if len(methods) == 1 else several for verb, (one, several) in _VERBS.items()}
    return words.format(methods=listed(methods), **verbs)
