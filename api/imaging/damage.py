"""What a damaged file is answered with, whatever the decoder underneath makes of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import UndecodableImage
from api.types import ImageFormat


def damaged(image_format: ImageFormat) -> UndecodableImage:
    """Make the error of a file that is not whole."""
    return UndecodableImage(f"The {image_format.upper()} file is truncated or corrupt. Send the complete file.")


@contextmanager
def refusing_damage(image_format: ImageFormat) -> Iterator[None]:
    """Turn whatever a decoder raises into `UndecodableImage`.

    Decoders promise no set of exceptions: Pillow alone raises AssertionError, SyntaxError, struct.error and more on
    damaged files. Only calls into a decoder belong inside. Memory that runs out is not the file's fault.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise damaged(image_format) from error
