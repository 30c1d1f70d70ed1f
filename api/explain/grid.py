"""Grids of regions, laid on the whole frame or on a box in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.types import RelativeBox

GRIDS: Mapping[int, tuple[int, int]] = {4: (2, 2), 6: (3, 2), 8: (4, 2), 16: (4, 4), 24: (6, 4)}
_ROWS = {2: ("upper", "lower"), 3: ("upper", "middle", "lower")}
_COLUMNS = {2: ("left", "right")}
WHOLE_FRAME = RelativeBox(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Region:
    """A named part of the image: ``image_upper_left``, or ``row_1_column_3`` where there are no words for it."""

    name: str
    box: RelativeBox


def regions_of(count: int, frame: RelativeBox = WHOLE_FRAME) -> tuple[Region, ...]:
    """Divide a box into a grid of 4 (2 x 2), 6 (3 x 2), 8 (4 x 2), 16 (4 x 4) or 24 (6 x 4) equal regions.

    Rows come from top to bottom, in each the columns from the viewer's left to right; 3 x 2 stands for the six fields
    of the two lungs.

    Raises
    ------
    KeyError
        There is no grid of so many regions.
    """
    rows, columns = GRIDS[count]
    height, width = (frame.bottom - frame.top) / rows, (frame.right - frame.left) / columns
    return tuple(
        Region(
            _name(row, column, rows, columns),
            RelativeBox(
                left=frame.left + column * width,
                top=frame.top + row * height,
                right=frame.left + (column + 1) * width,
                bottom=frame.top + (row + 1) * height,
            ),
        )
        for row in range(rows)
        for column in range(columns)
    )


def _name(row: int, column: int, rows: int, columns: int) -> str:
    if rows in _ROWS and columns in _COLUMNS:
        return f"image_{_ROWS[rows][row]}_{_COLUMNS[columns][column]}"
    return f"row_{row + 1}_column_{column + 1}"
