"""From the pipeline's report to the JSON of the contract."""

import base64
from dataclasses import asdict
from typing import Any

from api.catalogue import evaluation, identity, input_size
from api.decision import decision_rule
from api.errors import NotReady
from api.http.schemas import (
    AffectedRegionOut,
    AgreementOut,
    BorderOut,
    BoundingBoxOut,
    ContradictionOut,
    DecisionOut,
    ExplainOut,
    ExplanationsOut,
    GradientOut,
    HeatmapOut,
    InputOut,
    LayerOut,
    LayersOut,
    MethodTrustOut,
    ModelCardOut,
    ModelOut,
    OcclusionOut,
    PairOut,
    PictureOut,
    PredictionOut,
    PredictOut,
    QualityOut,
    ReceiptOut,
    RegionDropOut,
    RegionScoreOut,
    ScaledMapOut,
    SilhouetteOut,
    TimingsOut,
    TrustOut,
)
from api.imaging.geometry import to_pixels
from api.reports.receipt import as_document
from api.types import (
    AffectedRegion,
    Assessment,
    BorderSharpness,
    BoundingBox,
    EncodedImage,
    Explanation,
    GradientFinding,
    Layer,
    LayersFinding,
    MapFinding,
    MethodTrust,
    OcclusionFinding,
    OutlinedRegion,
    Quality,
    Radiograph,
    RegionDrop,
    RegionScore,
    Report,
    SilhouetteFinding,
    SilhouetteGridFinding,
    SiteDecision,
)
from serving.backend import BackendProtocolError, ModelSpec


def predict_out(report: Report, request_id: str) -> PredictOut:
    """Answer of `/v1/predict`."""
    return PredictOut(request_id=request_id, **_judgement(report))


def explain_out(report: Report, request_id: str) -> ExplainOut:
    """Answer of `/v1/explain`; methods that were not asked for, or not needed for NORMAL, are left out."""
    found = (report.explanations or {}).items()
    blocks = {name: _explanation_out(explanation, report.radiograph) for name, explanation in found}
    return ExplainOut(
        request_id=request_id,
        explanations=ExplanationsOut.model_validate(blocks),
        agreement=_agreement_out(report.assessment),
        affected_region=_affected_region_out(report.assessment, report.affected_region),
        trust=_trust_out(report.assessment),
        **_judgement(report),
    )


def model_card_out(model: ModelSpec, site: SiteDecision) -> ModelCardOut:
    """One entry of `/v1/models`: what was published, and what the site's settings make of it."""
    height, width = input_size(model)
    figures = evaluation(model)
    return ModelCardOut(
        name=model.name,
        version=model.version,
        architecture=identity(model).architecture,
        input_size={"height": height, "width": width},
        decision_threshold=model.release.get("decision_threshold"),
        prevalence=model.release.get("prevalence"),
        in_force=_in_force(model, site),
        evaluation=None if figures is None else dict(figures),
    )


def _in_force(model: ModelSpec, site: SiteDecision) -> DecisionOut | None:
    try:
        rule = decision_rule(model, site)
    except (BackendProtocolError, NotReady):
        return None  # it decides nothing, or cannot be used with these settings: `/readyz` tells
    return DecisionOut(decision_threshold=rule.decision_threshold, prevalence=rule.prevalence)


def _judgement(report: Report) -> dict[str, Any]:
    model, image, prediction = report.model, report.radiograph, report.prediction
    return {
        "model": ModelOut(name=model.name, version=model.version, architecture=model.architecture),
        "input": InputOut(format=image.format, width=image.width, height=image.height, bit_depth=image.bit_depth),
        "prediction": PredictionOut(
            label=prediction.label,
            probability=prediction.probability,
            indeterminate=prediction.indeterminate,
            probabilities=dict(prediction.probabilities),
            decision_threshold=prediction.decision_threshold,
            prevalence=prediction.prevalence,
        ),
        "quality": _quality_out(report.quality),
        "timings_ms": TimingsOut(**report.timings_ms),
        "receipt": ReceiptOut.model_validate(as_document(report.receipt)),
    }


def _quality_out(quality: Quality | None) -> QualityOut | None:
    if quality is None:
        return None
    return QualityOut(is_chest_xray=quality.is_chest_xray, score=quality.score, warnings=list(quality.warnings))


def _explanation_out(
    explanation: Explanation, radiograph: Radiograph
) -> SilhouetteOut | GradientOut | ScaledMapOut | OcclusionOut | LayersOut:
    match explanation.finding:
        case SilhouetteFinding() as finding:
            return _silhouette_out(explanation, finding)
        case SilhouetteGridFinding() as finding:
            return _silhouette_grid_out(explanation, finding, radiograph)
        case GradientFinding() as finding:
            return _gradient_out(explanation, finding)
        case MapFinding() as finding:
            return _scaled_map_out(explanation, finding)
        case OcclusionFinding() as finding:
            return _occlusion_out(explanation, finding, radiograph)
        case LayersFinding() as finding:
            pairs = zip(finding.layers, explanation.montages, strict=True)
            return LayersOut(layers=[_layer_out(layer, montage) for layer, montage in pairs])


def _silhouette_out(explanation: Explanation, finding: SilhouetteFinding) -> SilhouetteOut:
    return SilhouetteOut(
        rule="study",
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=_box_out(explanation.bounding_box),
        scores=dict(finding.scores),
        regions=None,
        lungs_found=None,
        borders=None,
        overlay=_overlay_out(explanation),
    )


def _silhouette_grid_out(
    explanation: Explanation, finding: SilhouetteGridFinding, radiograph: Radiograph
) -> SilhouetteOut:
    return SilhouetteOut(
        rule="grid" if finding.lungs is None else "lungs",
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=_box_out(explanation.bounding_box),
        scores=dict(finding.scores),
        regions=[_region_score_out(region, radiograph) for region in finding.regions],
        lungs_found=None if finding.lungs is None else finding.winner is not None,
        borders=None if finding.borders is None else [_border_out(border) for border in finding.borders],
        overlay=_overlay_out(explanation) if finding.winner else None,
    )


def _region_score_out(region: RegionScore, radiograph: Radiograph) -> RegionScoreOut:
    box = None if region.region is None else to_pixels(region.region, radiograph.width, radiograph.height)
    return RegionScoreOut(name=region.name, score=region.score, rank=region.rank, bounding_box=_box_out(box))


def _border_out(border: BorderSharpness) -> BorderOut:
    return BorderOut(
        border=border.border,
        side=border.side,
        sharpness=border.sharpness,
        normals_less_sharp=border.normals_less_sharp,
        auc=border.auc,
        auc_95=border.auc_95,
    )


def _gradient_out(explanation: Explanation, finding: GradientFinding) -> GradientOut:
    return GradientOut(
        threshold=finding.threshold,
        coverage=finding.coverage,
        bounding_box=_box_out(explanation.bounding_box),
        constant=finding.constant,
        overlay=_overlay_out(explanation),
        heatmap=_heatmap_out(explanation.heatmap),
    )


def _scaled_map_out(explanation: Explanation, finding: MapFinding) -> ScaledMapOut:
    return ScaledMapOut(
        threshold=finding.threshold,
        coverage=finding.coverage,
        bounding_box=_box_out(explanation.bounding_box),
        constant=finding.constant,
        non_finite=finding.non_finite,
        scale=(0.0, finding.scale.upper),
        unit=finding.scale.unit,
        overlay=_overlay_out(explanation) if finding.drawable else None,
        heatmap=_heatmap_out(explanation.heatmap),
    )


def _occlusion_out(explanation: Explanation, finding: OcclusionFinding, radiograph: Radiograph) -> OcclusionOut:
    return OcclusionOut(
        baseline=finding.baseline,
        fill=finding.fill,
        none=finding.strongest is None,
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=_box_out(explanation.bounding_box),
        regions=[_region_drop_out(each, radiograph) for each in finding.regions],
        scale=(0.0, finding.scale.upper),
        unit=finding.scale.unit,
        overlay=_overlay_out(explanation) if finding.strongest else None,
    )


def _region_drop_out(drop: RegionDrop, radiograph: Radiograph) -> RegionDropOut:
    box = BoundingBoxOut(**asdict(to_pixels(drop.region, radiograph.width, radiograph.height)))
    return RegionDropOut(name=drop.name, drop=drop.drop, rank=drop.rank, bounding_box=box)


def _layer_out(layer: Layer, montage: EncodedImage | None) -> LayerOut:
    _, height, width = layer.maps.shape
    return LayerOut(
        layer=layer.name,
        size={"height": height, "width": width},
        channels=list(layer.channels),
        scale=(0.0, layer.upper),
        signed=layer.signed,
        non_finite=not layer.drawable,
        montage=_picture_out(montage) if montage else None,
    )


def _box_out(box: BoundingBox | None) -> BoundingBoxOut | None:
    return None if box is None else BoundingBoxOut(x=box.x, y=box.y, width=box.width, height=box.height)


def _overlay_out(explanation: Explanation) -> PictureOut:
    if explanation.overlay is None:
        raise ValueError("There must be an overlay of a finding that can be drawn.")
    return _picture_out(explanation.overlay)


def _picture_out(image: EncodedImage) -> PictureOut:
    return PictureOut(
        media_type=image.media_type, width=image.width, height=image.height, data=base64.b64encode(image.data).decode()
    )


def _heatmap_out(image: EncodedImage | None) -> HeatmapOut | None:
    if image is None or image.value_range is None:
        return None
    return HeatmapOut(range=image.value_range, **_picture_out(image).model_dump())


def _agreement_out(assessment: Assessment | None) -> AgreementOut | None:
    agreement = assessment.agreement if assessment else None
    if agreement is None:
        return None
    return AgreementOut(
        score=agreement.score,
        contradicting=[
            ContradictionOut.model_validate({"methods": pair.methods, "in": pair.disputed})
            for pair in agreement.contradicting
        ],
        pairs=[PairOut(methods=pair.methods, overlap=pair.overlap, jaccard=pair.jaccard) for pair in agreement.pairs],
    )


def _affected_region_out(assessment: Assessment | None, outlined: OutlinedRegion | None) -> AffectedRegionOut | None:
    region = assessment.affected_region if assessment else None
    if region is None or isinstance(region, str):
        return None if region is None else AffectedRegionOut(reason=region)
    if outlined is None:
        raise ValueError("An affected region must be outlined.")
    return _region_out(region, outlined)


def _region_out(region: AffectedRegion, outlined: OutlinedRegion) -> AffectedRegionOut:
    return AffectedRegionOut(
        reason=None,
        polygon=list(outlined.polygon),
        area_percent_of_lungs=100 * region.share_of_lungs,
        bounding_box=_box_out(outlined.bounding_box),
        side=region.sides[0] if len(region.sides) == 1 else "both",
        zone=list(region.zones),
        methods=list(region.methods),
        overlay=_picture_out(outlined.overlay),
    )


def _trust_out(assessment: Assessment | None) -> TrustOut | None:
    if assessment is None:
        return None
    methods = {method: _method_trust_out(judged) for method, judged in assessment.trust.items()}
    raised = dict.fromkeys(flag for judged in assessment.trust.values() for flag in judged.flags)
    return TrustOut(text=assessment.text, flags=list(raised), methods=methods)


def _method_trust_out(judged: MethodTrust) -> MethodTrustOut:
    return MethodTrustOut(
        lung_energy=judged.lung_energy,
        stability=judged.tests.stability,
        deletion=judged.tests.deletion,
        insertion=judged.tests.insertion,
        flags=list(judged.flags),
    )
