"""One block for each method."""

from dataclasses import asdict

from api.http.respond.pictures import box_out, heatmap_out, overlay_out, picture_out
from api.http.schemas.explanations import (
    BorderOut,
    GradientOut,
    LayerOut,
    LayersOut,
    OcclusionOut,
    RegionDropOut,
    RegionScoreOut,
    ScaledMapOut,
    SilhouetteOut,
)
from api.http.schemas.pictures import BoundingBoxOut
from api.imaging.geometry import to_pixels
from api.types import (
    BorderSharpness,
    EncodedImage,
    Explanation,
    GradientFinding,
    Layer,
    LayersFinding,
    MapFinding,
    OcclusionFinding,
    Radiograph,
    RegionDrop,
    RegionScore,
    SilhouetteFinding,
    SilhouetteGridFinding,
)


def explanation_out(
    explanation: Explanation, radiograph: Radiograph
) -> SilhouetteOut | GradientOut | ScaledMapOut | OcclusionOut | LayersOut:
    """Give what one method shows, in the form of its kind."""
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
        bounding_box=box_out(explanation.bounding_box),
        scores=dict(finding.scores),
        regions=None,
        lungs_found=None,
        borders=None,
        overlay=overlay_out(explanation),
    )


def _silhouette_grid_out(
    explanation: Explanation, finding: SilhouetteGridFinding, radiograph: Radiograph
) -> SilhouetteOut:
    return SilhouetteOut(
        rule="grid" if finding.lungs is None else "lungs",
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=box_out(explanation.bounding_box),
        scores=dict(finding.scores),
        regions=[_region_score_out(region, radiograph) for region in finding.regions],
        lungs_found=None if finding.lungs is None else finding.winner is not None,
        borders=None if finding.borders is None else [_border_out(border) for border in finding.borders],
        overlay=overlay_out(explanation) if finding.winner else None,
    )


def _region_score_out(region: RegionScore, radiograph: Radiograph) -> RegionScoreOut:
    box = None if region.region is None else to_pixels(region.region, radiograph.width, radiograph.height)
    return RegionScoreOut(name=region.name, score=region.score, rank=region.rank, bounding_box=box_out(box))


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
        bounding_box=box_out(explanation.bounding_box),
        constant=finding.constant,
        overlay=overlay_out(explanation),
        heatmap=heatmap_out(explanation.heatmap),
    )


def _scaled_map_out(explanation: Explanation, finding: MapFinding) -> ScaledMapOut:
    return ScaledMapOut(
        threshold=finding.threshold,
        coverage=finding.coverage,
        bounding_box=box_out(explanation.bounding_box),
        constant=finding.constant,
        non_finite=finding.non_finite,
        scale=(0.0, finding.scale.upper),
        unit=finding.scale.unit,
        overlay=overlay_out(explanation) if finding.drawable else None,
        heatmap=heatmap_out(explanation.heatmap),
    )


def _occlusion_out(explanation: Explanation, finding: OcclusionFinding, radiograph: Radiograph) -> OcclusionOut:
    return OcclusionOut(
        baseline=finding.baseline,
        fill=finding.fill,
        none=finding.strongest is None,
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=box_out(explanation.bounding_box),
        regions=[_region_drop_out(each, radiograph) for each in finding.regions],
        scale=(0.0, finding.scale.upper),
        unit=finding.scale.unit,
        overlay=overlay_out(explanation) if finding.strongest else None,
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
        montage=picture_out(montage) if montage else None,
    )
