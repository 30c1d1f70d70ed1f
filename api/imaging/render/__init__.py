"""From findings to pictures: overlays drawn on the radiograph, and heatmaps as files. One file per kind of finding."""

from api.imaging.geometry import to_pixels
from api.imaging.render.box import draw_silhouette
from api.imaging.render.dominant_pixels import draw_gradient
from api.imaging.render.files import encode_heatmap
from api.imaging.render.scaled_map import draw_map
from api.types import (
    ExplainOptions,
    Explanation,
    Finding,
    GradientFinding,
    MapFinding,
    Radiograph,
    SilhouetteFinding,
)


def render(radiograph: Radiograph, finding: Finding, options: ExplainOptions) -> Explanation:
    """Make the pictures of a finding, and place its box on the radiograph."""
    box = to_pixels(finding.region, radiograph.width, radiograph.height) if finding.region else None
    size, overlay_format = options.overlay_size, options.overlay_format
    match finding:
        case SilhouetteFinding():
            return Explanation(finding, box, draw_silhouette(radiograph.pixels, finding, size, overlay_format))
        case GradientFinding():
            overlay = draw_gradient(radiograph.pixels, finding, size, overlay_format)
            return Explanation(finding, box, overlay, encode_heatmap(finding.importance, finding.raw_range))
        case MapFinding(drawable=False):
            return Explanation(finding, box, overlay=None)
        case MapFinding():
            largest = float(finding.values.max())
            overlay = draw_map(radiograph.pixels, finding, size, overlay_format)
            return Explanation(finding, box, overlay, encode_heatmap(finding.values / largest, (0.0, largest)))
