"""Bands of rows: large images are converted piece by piece, so that no second whole frame is needed."""

from collections.abc import Iterator

_PIXELS_IN_A_BAND = 1 << 18


def row_bands(rows: int, columns: int) -> Iterator[slice]:
    """Split an image into bands of about a quarter of a million pixels, at least one row each."""
    step = max(1, _PIXELS_IN_A_BAND // columns)
    for top in range(0, rows, step):
        yield slice(top, min(rows, top + step))
