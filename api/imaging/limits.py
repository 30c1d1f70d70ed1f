"""What a file must claim of itself before its pixels are decoded: one image, and not too large a one."""

from api.errors import ImageTooLarge, UndecodableImage


def check_size(width: int, height: int, max_pixels: int, samples_per_pixel: int = 1) -> None:
    """Refuse an image without pixels or with too many.

    Where the decoder makes all samples of a colour image at once, `samples_per_pixel` says how many: they are what
    takes memory.

    Raises
    ------
    ImageTooLarge
        There are more than `max_pixels`, or more samples than that.
    UndecodableImage
        There are none.
    """
    if width * height * max(1, samples_per_pixel) > max_pixels:
        counted = "" if samples_per_pixel <= 1 else f", counted {samples_per_pixel} times for its samples"
        raise ImageTooLarge(f"The image must have at most {max_pixels} pixels{counted}. Send a smaller version of it.")
    if width < 1 or height < 1:
        raise UndecodableImage("The image must have at least one pixel. Received: an image of zero size.")


def check_one_frame(several_frames: bool) -> None:
    """Refuse a file of several images.

    Raises
    ------
    UndecodableImage
        It holds several.
    """
    if several_frames:
        raise UndecodableImage("The file must hold one image. Received: several frames. Send one file per frame.")
