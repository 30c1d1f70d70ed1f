"""The Device: the software with its model."""

from api.reports.fhir.codes import SOFTWARE
from api.reports.fhir.context import Context
from api.reports.fhir.elements import Json, concept, elements, narrative
from api.types import ModelRecord

_NAME = "CXR Explain"
_MODEL = "urn:cxr-explain:model"
_MODEL_FILE = "urn:cxr-explain:model-sha256"


def device_name(context: Context) -> str:
    """Name the software and its model, with their versions."""
    report = context.report
    model = f"{report.receipt.model.name} {report.receipt.model.version} ({report.model.architecture})"
    return f"{_NAME} {report.receipt.service_version}, model {model}"


def device(context: Context) -> Json:
    """Give what all answers of this software with this model share; it names no patient and no input."""
    model, version = context.report.receipt.model, context.report.receipt.service_version
    return elements(
        resourceType="Device",
        id=context.device_id,
        text=narrative(device_name(context)),
        identifier=model_file(model),
        status="active",
        deviceName=[
            {"name": _NAME, "type": "user-friendly-name"},
            {"name": f"{model.name} ({context.report.model.architecture})", "type": "model-name"},
        ],
        type=concept(SOFTWARE),
        version=[
            {"type": {"text": "software"}, "value": version},
            {"type": {"text": "model"}, "component": {"system": _MODEL, "value": model.name}, "value": model.version},
        ],
    )


def model_file(model: ModelRecord) -> list[Json]:
    """Identify a model by the SHA-256 of its file, if it was published with one."""
    if model.sha256 is None:
        return []
    return [{"type": {"text": "SHA-256 of the model file"}, "system": _MODEL_FILE, "value": model.sha256}]
