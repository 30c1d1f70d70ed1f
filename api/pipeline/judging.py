"""What a radiograph shows, and whether it is one: the classifier, the input gate and the tags."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from api.acquisition import read_tags
from api.catalogue import CLASSIFIER, LUNG_SEGMENTER, ModelCatalogue
from api.decision import decision_rule
from api.errors import NotAChestRadiograph
from api.gate import CLASSIFIER_OUTPUTS, MASK, InputGate, gives_evidence, input_gate, refusal
from api.inference import Inference, Request
from api.types import Policy, Prediction, Quality, Question, Radiograph
from api.workers import Workers
from serving.backend import BackendProtocolError, ModelSpec


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a radiograph before it is explained.

    `quality` is None if the models cannot tell. `warnings` are its codes and those of the tags. `lungs` is the lung
    segmenter's mask, ``[H, W]``, 0 to 1; None if there is no segmenter.
    """

    classifier: ModelSpec
    prediction: Prediction
    quality: Quality | None
    warnings: tuple[str, ...]
    lungs: NDArray[np.float32] | None


class Judging:
    """Judges radiographs, and refuses what is no chest radiograph where the policy says so."""

    def __init__(self, catalogue: ModelCatalogue, inference: Inference, workers: Workers, policy: Policy) -> None:
        self._catalogue = catalogue
        self._inference = inference
        self._workers = workers
        self._policy = policy

    async def judge(self, radiograph: Radiograph, request: Request, *, explained: bool) -> Judgement:
        """Judge a radiograph, which is to be `explained` or not.

        Raises
        ------
        NotAChestRadiograph, UnsupportedView
            It shows something else, and the policy is to refuse it.
        BackendError
            The model server did not answer as it should.
        """
        tagged = self._check_tags(radiograph)
        classifier = await self._catalogue.find(CLASSIFIER)
        prediction, quality, lungs = await self._ask(classifier, radiograph, request, explained=explained)
        if quality is None:
            return Judgement(classifier, prediction, None, tagged, lungs)
        if not quality.is_chest_xray and self._policy.refuse_other_images:
            raise NotAChestRadiograph(refusal(quality))
        warnings = tuple(dict.fromkeys((*quality.warnings, *tagged)))
        return Judgement(classifier, prediction, replace(quality, warnings=warnings), warnings, lungs)

    def _check_tags(self, radiograph: Radiograph) -> tuple[str, ...]:
        """Give the warnings that come from the tags of a DICOM object; refuse what they plainly speak against."""
        if radiograph.source is None:
            return ()
        tagged = read_tags(radiograph.source.acquisition)
        if tagged.refusal is not None and self._policy.refuse_other_images:
            raise tagged.refusal
        return tagged.warnings

    async def _ask(
        self, classifier: ModelSpec, radiograph: Radiograph, request: Request, *, explained: bool
    ) -> tuple[Prediction, Quality | None, NDArray[np.float32] | None]:
        """Ask classifier and lung segmenter at the same time.

        The quality is None if they give no evidence of it, the lungs' mask if there is no segmenter.
        """
        rule = decision_rule(classifier, self._policy.site)
        gate, segmenter = await self._input_gate(classifier, explained=explained)
        pixels = (radiograph.pixels,)
        outputs = ("probabilities", *(CLASSIFIER_OUTPUTS if gate else ()))
        asked = [(classifier, Question(CLASSIFIER, pixels, outputs))]
        if segmenter is not None:
            asked.append((segmenter, Question(LUNG_SEGMENTER, pixels, (MASK,))))
        answer, *masks = await self._inference.ask(asked, request)
        quality = None if gate is None else await self._workers.run(gate.judge, answer, *masks)
        lungs = np.asarray(masks[0][MASK][0], dtype=np.float32) if masks else None
        return rule.decide(answer["probabilities"][0]), quality, lungs

    async def _input_gate(self, classifier: ModelSpec, *, explained: bool) -> tuple[InputGate | None, ModelSpec | None]:
        """Find the gate and the lung segmenter; with `refuse_other_images`, both have to be there.

        Without a gate, explanations need the segmenter all the same: they have to know where the lungs are.
        """
        required, evident = self._policy.refuse_other_images, gives_evidence(classifier)
        if required and not evident:
            raise BackendProtocolError(f"{CLASSIFIER!r} must have the outputs {CLASSIFIER_OUTPUTS}.")
        segmenter = None
        if required or ((evident or explained) and LUNG_SEGMENTER in await self._catalogue.all()):
            segmenter = await self._catalogue.find(LUNG_SEGMENTER)
        return input_gate(classifier, segmenter) if evident else None, segmenter
