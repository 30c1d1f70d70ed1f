"""How far each picture of an answer can be trusted: what speaks for and against it, as numbers and as flags."""

from collections.abc import Generator, Mapping, Sequence

import numpy as np

from api.explain import METHODS
from api.explain.affected_region import find_affected_region
from api.explain.agreement import agree
from api.explain.evidence import Evidence, gather, speaks_of_places
from api.explain.map_tests import examine
from api.explain.whereabouts import Lungs, find_lungs
from api.explain.wording import describe
from api.types import (
    Agreement,
    Answer,
    Assessment,
    ExplainOptions,
    Finding,
    MapFinding,
    MapTests,
    MethodTrust,
    Question,
    Subject,
    TrustFlag,
)

# A correlation below it means that the two maps share less than half of their variance. Of 60 held-out radiographs of
# pneumonia (fold 0 of `train`), 22 % of the silhouettes came below it, 12 % of occlusion, 7 % of saliency and Grad-CAM,
# and none of the gradient and Grad-CAM++.
UNSTABLE = 0.7
_LOOK_AT_CLASSIFIER = frozenset(("classifier", "classifier_explain"))
_FAILS_RANDOMISATION = "fails_randomisation"


def examinations(
    findings: Mapping[str, Finding], subject: Subject, shifted: Subject, options: ExplainOptions
) -> Mapping[str, Generator[Question, Answer, MapTests]]:
    """Give the tests of every method that says something about places, by method; each asks its own questions."""
    return {
        method: examine(evidence, subject.seen, METHODS[method].explain(shifted, options))
        for method, evidence in gather(findings).items()
    }


def assess(findings: Mapping[str, Finding], subject: Subject, tests: Mapping[str, MapTests]) -> Assessment:
    """Compare the methods of an answer, find the region that they agree on, and say how far to trust each.

    `tests` holds what came of `examinations`, by method; what was not examined is not judged by it.
    """
    evidence, lungs = gather(findings), find_lungs(subject.lungs)
    agreement = agree(evidence, lungs)
    region = find_affected_region(_voters(evidence), lungs)
    energy = {} if lungs is None else {method: lung_energy(each, lungs) for method, each in evidence.items()}
    outside = {method for method, share in energy.items() if lungs is not None and misses(share, lungs)}
    flags = _flags(findings, evidence, outside, tests, agreement, _failing(subject))
    trust = {
        method: MethodTrust(energy.get(method), tests.get(method, MapTests()), raised)
        for method, raised in flags.items()
    }
    return Assessment(agreement, region, trust, describe(evidence, lungs, agreement, region, trust))


def lung_energy(evidence: Evidence, lungs: Lungs) -> float:
    """Give the share of a method's heat that lies in the lungs, 0 to 1."""
    return float(evidence.heat[lungs.mask].sum(dtype=np.float64) / evidence.heat.sum(dtype=np.float64))


def misses(energy: float, lungs: Lungs) -> bool:
    """Tell whether a method points past the lungs: to them less than a map would that is the same everywhere.

    That map's energy in the lungs is their share of the frame, about a third. A fixed limit would depend on how much of
    the film the child fills; and at one half, every box and nearly every gradient is below it.
    """
    return energy < float(lungs.mask.mean())


def looks_at_classifier(method: str) -> bool:
    """Tell whether a method can show anything of how the classifier decides, by the models that it asks."""
    return not _LOOK_AT_CLASSIFIER.isdisjoint(METHODS[method].models)


def _voters(evidence: Mapping[str, Evidence]) -> Sequence[Evidence]:
    """Let the methods that look at the classifier speak for it; where there are none, the others."""
    return [each for method, each in evidence.items() if looks_at_classifier(method)] or list(evidence.values())


def _flags(
    findings: Mapping[str, Finding],
    evidence: Mapping[str, Evidence],
    outside: set[str],
    tests: Mapping[str, MapTests],
    agreement: Agreement | None,
    failing: frozenset[str],
) -> Mapping[str, tuple[TrustFlag, ...]]:
    silent = {method for method, finding in findings.items() if speaks_of_places(finding)} - evidence.keys()
    broken = {method for method, finding in findings.items() if isinstance(finding, MapFinding) and finding.non_finite}
    stability = {method: test.stability for method, test in tests.items() if test.stability is not None}
    raised: Mapping[TrustFlag, set[str]] = {
        "outside_lungs": outside,
        "contradicting": {method for pair in (agreement.contradicting if agreement else ()) for method in pair.methods},
        "unstable": {method for method, similarity in stability.items() if similarity < UNSTABLE},
        "constant": silent - broken,
        "non_finite": broken,
        "independent_of_classifier": {method for method in findings if not looks_at_classifier(method)},
        "fails_randomisation": set(failing),
    }
    judged = (method for method, finding in findings.items() if speaks_of_places(finding))
    return {method: tuple(flag for flag, methods in raised.items() if method in methods) for method in judged}


def _failing(subject: Subject) -> frozenset[str]:
    """Read which methods keep their map when the classifier's weights are replaced by chance, as published.

    Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv:1810.03292; measured once for a release, not here.
    """
    lists = [release.get(_FAILS_RANDOMISATION) for release in subject.releases.values()]
    return frozenset(name for names in lists if isinstance(names, list) for name in names if isinstance(name, str))
