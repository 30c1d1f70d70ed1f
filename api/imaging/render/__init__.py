"""From findings to pictures: overlays drawn on the radiograph, and heatmaps as files. One file per kind of finding."""

from api.imaging.geometry import to_pixels
from api.imaging.render.box import draw_silhouette
from api.imaging.render.dominant_pixels import draw_gradient
from api.imaging.render.files import encode_heatmap
from api.imaging.render.montage import draw_layer
from api.imaging.render.regions import draw_drops
from api.imaging.render.scaled_map import draw_map
from api.imaging.render.silhouette_grid import draw_silhouette_grid
from api.types import (
    EncodedImage,
    ExplainOptions,
    Explanation,
    Finding,
    GradientFinding,
    LayersFinding,
    MapFinding,
    OcclusionFinding,
    Radiograph,
    SilhouetteFinding,
    SilhouetteGridFinding,
)


def render(radiograph: Radiograph, finding: Finding, options: ExplainOptions) -> Explanation:
    """Make the pictures of a finding, and place its box on the radiograph."""
    box = to_pixels(finding.region, radiograph.width, radiograph.height) if finding.region else None
    size, overlay_format = options.overlay_size, options.overlay_format
    match finding:
        case SilhouetteFinding():
            return Explanation(finding, box, draw_silhouette(radiograph.pixels, finding, size, overlay_format))
        case SilhouetteGridFinding(winner=None):
            return Explanation(finding, box, overlay=None)
        case SilhouetteGridFinding():
            return Explanation(finding, box, draw_silhouette_grid(radiograph.pixels, finding, size, overlay_format))
        case GradientFinding():
            overlay = draw_gradient(radiograph.pixels, finding, size, overlay_format)
            return Explanation(finding, box, overlay, encode_heatmap(finding.importance, finding.raw_range))
        case MapFinding(drawable=False):
            return Explanation(finding, box, overlay=None)
        case MapFinding():
            largest = float(finding.values.max())
            overlay = draw_map(radiograph.pixels, finding, size, overlay_format)
            return Explanation(finding, box, overlay, encode_heatmap(finding.values / largest, (0.0, largest)))
        case OcclusionFinding(strongest=None):
            return Explanation(finding, box, overlay=None)
        case OcclusionFinding():
            return Explanation(finding, box, draw_drops(radiograph.pixels, finding, size, overlay_format))
        case LayersFinding():
            return Explanation(finding, box, overlay=None, montages=_montages(radiograph, finding, options))


def _montages(
    radiograph: Radiograph, finding: LayersFinding, options: ExplainOptions
) -> tuple[EncodedImage | None, ...]:
    frame, size = (radiograph.width, radiograph.height), options.overlay_size
    return tuple(
        draw_layer(layer, frame, size, options.overlay_format) if layer.drawable else None for layer in finding.layers
    )
