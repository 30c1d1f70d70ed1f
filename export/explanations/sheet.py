"""A contact sheet: radiographs and the overlays of every method as the gateway draws them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from api.catalogue import CLASSIFIER
from api.imaging.render import render
from api.imaging.render.files import canvas_of
from api.types import Radiograph, Subject
from export.data.examples import LABELS, Example
from export.evaluation.calibration import sigmoid
from export.explanations.contenders import Contender, contenders, explain, look_at
from export.explanations.model_files import ModelFiles
from export.explanations.radiographs import read_pixels

_TILE, _GAP, _HEAD, _LABELS = 152, 4, 44, 92
_BACKGROUND, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (150, 150, 150)


def draw_contact_sheet(examples: Sequence[Example], each: int, models: ModelFiles, file: Path) -> list[str]:
    """Draw the sheet, a row for each radiograph and a column for each method, and give the names of the radiographs.

    Parameters
    ----------
    examples
        To choose from: by label and file name alone, spread over the list.
    each
        How many of each label.
    models
        Whose methods are shown, for normals too.
    file
        Where the picture goes, as JPEG or PNG by its suffix.
    """
    chosen = [
        example
        for target in range(len(LABELS))
        for example in _spread([e for e in examples if e.target == target], each)
    ]
    shown = contenders()
    sheet = Image.new("RGB", _extent(len(chosen), len(shown) + 1), _BACKGROUND)
    _write_head(sheet, ["radiograph", *shown])
    for row, example in enumerate(chosen):
        _draw_row(sheet, row, example, shown, models)
    sheet.save(file, quality=82)
    return [example.path.name for example in chosen]


def _spread(examples: Sequence[Example], count: int) -> list[Example]:
    places = np.linspace(0, len(examples) - 1, min(count, len(examples))).round().astype(int)
    return [examples[place] for place in places]


def _extent(rows: int, columns: int) -> tuple[int, int]:
    return _LABELS + columns * (_TILE + _GAP), _HEAD + rows * (_TILE + _GAP)


def _write_head(sheet: Image.Image, names: Sequence[str]) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, name in enumerate(names):
        text = name.replace(", ", ",\n").replace("_plus_plus", "\n_plus_plus")
        draw.multiline_text((_LABELS + column * (_TILE + _GAP) + 2, 4), text, _INK, font, spacing=2)


def _draw_row(
    sheet: Image.Image, row: int, example: Example, shown: Mapping[str, Contender], models: ModelFiles
) -> None:
    pixels = read_pixels(example)
    subject = look_at(pixels, models)
    top = _HEAD + row * (_TILE + _GAP)
    _write_label(sheet, top, example, subject, models)
    tiles = [canvas_of(pixels, _TILE), *_overlays(pixels, subject, shown, models)]
    for column, tile in enumerate(tiles):
        place = (_LABELS + column * (_TILE + _GAP), top)
        if tile is None:
            ImageDraw.Draw(sheet).text(
                (place[0] + 8, top + _TILE // 2), "nothing to draw", _FAINT, ImageFont.load_default(12)
            )
        else:
            sheet.paste(tile, place)


def _overlays(
    pixels: NDArray[np.uint8], subject: Subject, shown: Mapping[str, Contender], models: ModelFiles
) -> list[Image.Image | None]:
    radiograph = Radiograph(pixels, "jpeg", 8)
    overlays: list[Image.Image | None] = []
    for name, finding in explain(subject, shown, models).items():
        overlay = render(radiograph, finding, replace(shown[name].options, overlay_size=_TILE)).overlay
        overlays.append(None if overlay is None else Image.open(io.BytesIO(overlay.data)).convert("RGB"))
    return overlays


def _write_label(sheet: Image.Image, top: int, example: Example, subject: Subject, models: ModelFiles) -> None:
    """Write what the radiograph is, and what the classifier says."""
    probability = float(sigmoid(models.log_odds(subject.seen[np.newaxis]))[0])
    called = probability >= float(models.models[CLASSIFIER].spec.release["decision_threshold"])
    lines = (LABELS[example.target], "called", LABELS[int(called)], f"P = {probability:.3f}")
    text = "\n".join(lines)
    ImageDraw.Draw(sheet).multiline_text((4, top + 30), text, _INK, ImageFont.load_default(13), spacing=4)
