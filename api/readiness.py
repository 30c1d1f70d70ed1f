"""Whether the models that answer are those that the gateway needs."""

from api.catalogue import CLASSIFIER, LUNG_SEGMENTER, ModelCatalogue
from api.decision import decision_rule
from api.errors import NotReady
from api.explain import DEFAULT_METHODS, METHODS
from api.gate import CLASSIFIER_OUTPUTS, gives_evidence, input_gate
from api.types import Policy


async def check_ready(catalogue: ModelCatalogue, policy: Policy) -> None:
    """Check that every model answers that the default methods and the settings need.

    Raises
    ------
    NotReady
        A model, or a part of one that the settings need, is missing; the message names it.
    BackendError
        The model server is away, or a model is not of the form that the model contract has.
    """
    catalogue.forget()
    served = await catalogue.all()
    needed = _needed_models(policy)
    missing = [name for name in needed if name not in served]
    for name in set(needed).difference(missing):
        await catalogue.find(name)
    if policy.refuse_other_images and CLASSIFIER in served and not gives_evidence(served[CLASSIFIER]):
        missing.append(f"{CLASSIFIER} with the outputs {' and '.join(CLASSIFIER_OUTPUTS)}")
    if missing:
        raise NotReady(f"The gateway needs models that do not answer: {', '.join(missing)}.")
    decision_rule(served[CLASSIFIER], policy.site)
    if gives_evidence(served[CLASSIFIER]):
        input_gate(served[CLASSIFIER], served.get(LUNG_SEGMENTER))


def _needed_models(policy: Policy) -> tuple[str, ...]:
    gate = (LUNG_SEGMENTER,) if policy.refuse_other_images else ()
    explaining = (model for name in DEFAULT_METHODS for model in METHODS[name].models)
    return tuple(dict.fromkeys((CLASSIFIER, *gate, *explaining)))
