"""What is compared: every method of the gateway with the options worth a row, and two maps that know nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER, LUNG_SEGMENTER, input_size
from api.explain import METHODS, STUDY_SIZE
from api.explain.evidence import FRAME, Evidence, evidence_of, speaks_of_places
from api.explain.trust import looks_at_classifier
from api.imaging.preprocess import resize_antialiased, to_model_input
from api.rounds import advance, in_rounds
from api.types import Explainer, ExplainOptions, Finding, Question, Subject
from export.explanations.cells import CELLS
from export.explanations.model_files import ModelFiles

_SPREAD = 1 / 4  # standard deviation of the central Gaussian, of each side of the frame
_MASK = "mask"


@dataclass(frozen=True, slots=True)
class Contender:
    """A method of the gateway with the options of one request."""

    method: str
    options: ExplainOptions

    @property
    def looks_at_classifier(self) -> bool:
        """Whether it asks the classifier anything; otherwise it cannot explain what the classifier says."""
        return looks_at_classifier(self.method)

    def explain(self, subject: Subject) -> Explainer:
        """Begin to explain a radiograph."""
        return METHODS[self.method].explain(subject, self.options)


_PLACELESS = frozenset({"layers"})
_VARIATIONS: Mapping[str, Contender] = {
    "silhouette, 6 on the lungs": Contender("silhouette", ExplainOptions(("silhouette",), regions=6, lungs=True)),
    "occlusion, 16": Contender("occlusion", ExplainOptions(("occlusion",), regions=16)),
}


def contenders() -> Mapping[str, Contender]:
    """Give each method as it is by default, each followed by its variations; `layers` points at no place."""
    plain = {method: Contender(method, ExplainOptions((method,))) for method in METHODS if method not in _PLACELESS}
    every = {**plain, **_VARIATIONS}
    methods = list(METHODS)
    return dict(sorted(every.items(), key=lambda item: methods.index(item[1].method)))


def look_at(pixels: NDArray[np.uint8], models: ModelFiles) -> Subject:
    """Prepare a radiograph, grey levels ``[rows, columns]``, for the methods as the gateway does."""
    seen = to_model_input((pixels,), *input_size(models.models[CLASSIFIER].spec))[0, ..., 0]
    mask = (
        models.ask(Question(LUNG_SEGMENTER, (pixels,), (_MASK,)))[_MASK][0] if LUNG_SEGMENTER in models.models else None
    )
    return Subject(
        pixels=pixels,
        study=resize_antialiased(pixels, STUDY_SIZE, STUDY_SIZE),
        seen=seen,
        lungs=None if mask is None else np.asarray(mask, np.float32),
        releases={name: model.spec.release for name, model in models.models.items()},
    )


def explain(subject: Subject, chosen: Mapping[str, Contender], models: ModelFiles) -> Mapping[str, Finding]:
    """Run methods side by side to their findings, by the gateway's own rounds."""
    rounds = in_rounds({name: contender.explain(subject) for name, contender in chosen.items()})
    step = advance(rounds, None)
    while not isinstance(step, Mapping):
        step = advance(rounds, [models.ask(question) for question in step])
    return step


def maps_of(findings: Mapping[str, Finding]) -> Mapping[str, Evidence]:
    """Give what each finding says about places; one that says nothing becomes a map that is the same everywhere.

    Raises
    ------
    TypeError
        A finding is of a type that never speaks of places.
    """
    if placeless := [name for name, finding in findings.items() if not speaks_of_places(finding)]:
        raise TypeError(f"Findings must be about places. Received: {placeless}")
    return {name: evidence_of(name, finding) or _silent(name) for name, finding in findings.items()}


def is_silent(evidence: Evidence) -> bool:
    """Tell whether a map says nothing about places."""
    return bool(evidence.heat.min() == evidence.heat.max())


def baselines(generator: np.random.Generator) -> Mapping[str, Evidence]:
    """Draw the maps that know nothing: an evenly drawn number in each cell, and a Gaussian at the centre."""
    scattered = generator.random((CELLS, CELLS)).astype(np.float32).repeat(FRAME // CELLS, 0).repeat(FRAME // CELLS, 1)
    axis = (np.arange(FRAME) + 0.5) / FRAME - 0.5
    bell = np.exp(-np.square(axis / _SPREAD) / 2)
    return {
        name: Evidence(name, heat, heat >= np.quantile(heat, 0.9), heat)
        for name, heat in (("random", scattered), ("centre", np.outer(bell, bell).astype(np.float32)))
    }


BASELINES: Sequence[str] = ("random", "centre")


def _silent(name: str) -> Evidence:
    flat = np.ones((FRAME, FRAME), np.float32)
    return Evidence(name, flat, flat > 0, flat)


def pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give every two of these names, the earlier one first."""
    return ((one, other) for place, one in enumerate(names) for other in names[place + 1 :])
