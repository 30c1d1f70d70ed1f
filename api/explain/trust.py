"""How far each picture of an answer can be trusted: what speaks for and against it, as numbers and as flags."""

from collections.abc import Generator, Iterable, Mapping, Sequence

from api.explain import METHODS
from api.explain.affected_region import find_affected_region
from api.explain.agreement import agree
from api.explain.evidence import Evidence, gather, speaks_of_places
from api.explain.graph_map import MODEL as CLASSIFIER_EXPLAIN
from api.explain.map_tests import displacement, examine
from api.explain.whereabouts import Lungs, find_lungs, lung_energy, misses
from api.explain.wording import Facts, describe
from api.quality import LUNGS_NOT_FOUND
from api.types import (
    Agreement,
    Answer,
    Assessment,
    ExplainOptions,
    Finding,
    Judged,
    MapFinding,
    MapTests,
    MethodTrust,
    NoLungs,
    OcclusionFinding,
    Question,
    Subject,
    TrustFlag,
)

# A correlation below it means that the two maps share less than half of their variance. When the limit was chosen, 22 %
# of the silhouettes of 60 held-out radiographs of pneumonia (fold 0 of `train`) came below it, 12 % of the occlusions,
# 7 % of saliency and Grad-CAM, and none of the gradient and Grad-CAM++.
UNSTABLE = 0.7
_LOOK_AT_CLASSIFIER = frozenset(("classifier", CLASSIFIER_EXPLAIN))
_FAILS_RANDOMISATION = "fails_randomisation"


def examinations(
    findings: Mapping[str, Finding], subject: Subject, shifted: Subject, options: ExplainOptions
) -> Mapping[str, Generator[Question, Answer, MapTests]]:
    """Give the tests of every method that says something about places, by method; each asks its own questions.

    Stability is not among them for a radiograph so small that it cannot be moved slightly.
    """
    moved = displacement(subject.pixels.shape)
    if moved is None:
        return {method: examine(evidence, subject.seen, None) for method, evidence in gather(findings).items()}
    return {
        method: examine(evidence, subject.seen, METHODS[method].explain(shifted, options), moved)
        for method, evidence in gather(findings).items()
    }


def assess(
    findings: Mapping[str, Finding], subject: Subject, tests: Mapping[str, MapTests], judged: Judged
) -> Assessment:
    """Compare the methods of an answer, find the region that they agree on, and say how far to trust each.

    `tests` holds what came of `examinations`, by method; what was not examined is not judged by it. `judged` is the
    answer that is explained.
    """
    evidence, lungs, failing = gather(findings), _lungs(subject, judged), _failing(subject)
    agreement = agree(evidence, lungs)
    region = find_affected_region(_voters(evidence, failing or frozenset()), lungs)
    energy = {method: lung_energy(each, lungs) for method, each in evidence.items() if isinstance(lungs, Lungs)}
    outside = {method for method, share in energy.items() if isinstance(lungs, Lungs) and misses(share, lungs)}
    flags = _flags(findings, evidence, outside, tests, agreement, failing or frozenset())
    trust = {
        method: MethodTrust(energy.get(method), tests.get(method, MapTests()), raised)
        for method, raised in flags.items()
    }
    unmeasured = _may_fail(evidence) if failing is None else ()
    facts = Facts(judged, evidence, lungs, agreement, region, trust, _finding_nothing(findings), unmeasured)
    return Assessment(agreement, region, trust, describe(facts))


def _lungs(subject: Subject, judged: Judged) -> Lungs | NoLungs:
    """Find the lungs, unless the input gate takes what the segmenter marks for no lungs."""
    return "no lungs found" if LUNGS_NOT_FOUND in judged.warnings else find_lungs(subject.lungs)


def looks_at_classifier(method: str) -> bool:
    """Tell whether a method can show anything of how the classifier decides, by the models that it asks."""
    return not _LOOK_AT_CLASSIFIER.isdisjoint(METHODS[method].models)


def _voters(evidence: Mapping[str, Evidence], failing: frozenset[str]) -> Sequence[Evidence]:
    """Let the methods speak that look at the classifier, and that change with what it has learned."""
    return [each for method, each in evidence.items() if looks_at_classifier(method) and method not in failing]


def _finding_nothing(findings: Mapping[str, Finding]) -> frozenset[str]:
    """Name the methods that looked for what speaks for pneumonia, and found that nothing does."""
    return frozenset(method for method, finding in findings.items() if _finds_nothing(finding))


def _finds_nothing(finding: Finding) -> bool:
    if isinstance(finding, OcclusionFinding):
        return finding.strongest is None
    # A saliency of zero is another matter: no pixel changes the score, either way.
    return isinstance(finding, MapFinding) and not finding.pixelwise and finding.constant and not finding.values.any()


def _may_fail(methods: Iterable[str]) -> tuple[str, ...]:
    """Name the methods that may hardly depend on the weights: not those that compare the classifier's own answers."""
    return tuple(method for method in methods if CLASSIFIER_EXPLAIN in METHODS[method].models)


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
        "unfaithful": {method for method, test in tests.items() if _is_unfaithful(test)},
    }
    judged = (method for method, finding in findings.items() if speaks_of_places(finding))
    return {method: tuple(flag for flag, methods in raised.items() if method in methods) for method in judged}


def _is_unfaithful(test: MapTests) -> bool:
    """Tell whether what a map ranks first matters to the classifier no more than what it ranks last."""
    return test.insertion is not None and test.deletion is not None and test.insertion <= test.deletion


def _failing(subject: Subject) -> frozenset[str] | None:
    """Read which methods keep their map when the classifier's weights are replaced by chance; None if not measured.

    Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv:1810.03292; measured once for a release, not here.
    """
    published = [release.get(_FAILS_RANDOMISATION) for release in subject.releases.values()]
    lists = [names for names in published if isinstance(names, list)]
    return frozenset(name for names in lists for name in names if isinstance(name, str)) if lists else None
