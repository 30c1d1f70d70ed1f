"""A small U-Net (Ronneberger et al. 2015) that answers one logit per pixel."""

from collections.abc import Sequence

import keras
from keras import layers


def build_lung_network(image_size: int, widths: Sequence[int]) -> keras.Model:
    """Build the network; it takes grey levels 0 to 255 and scales them itself.

    All convolutions but the first run at half the side or less, where a lung's outline still fits well: the logits are
    enlarged to the image's size by bilinear interpolation.

    Parameters
    ----------
    image_size
        Pixels a side, a multiple of 2 to the power of the number of widths.
    widths
        Channels at a half of the image's side, at a quarter and so on.

    Returns
    -------
    A network from ``[n, image_size, image_size, 1]`` to logits of the same shape, positive inside the lungs.

    Raises
    ------
    ValueError
        The size is no such multiple.
    """
    if image_size % 2 ** len(widths):
        raise ValueError(f"The image size must be a multiple of {2 ** len(widths)}. Received: image_size={image_size}")
    image = keras.Input((image_size, image_size, 1), name="image")
    x = _convolve(layers.Rescaling(1 / 127.5, offset=-1.0)(image), widths[0], strides=2)
    skips = []
    for width in widths[:-1]:
        x = _convolve(x, width)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = _convolve(_convolve(x, widths[-1]), widths[-1])
    for width, skip in zip(reversed(widths[:-1]), reversed(skips), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D(2, interpolation="bilinear")(x), skip])
        x = _convolve(_convolve(x, width), width)
    logits = layers.Conv2D(1, 1, name="coarse_logits", dtype="float32")(x)
    return keras.Model(
        image, layers.UpSampling2D(2, interpolation="bilinear", dtype="float32")(logits), name="lung_network"
    )


def _convolve(x: keras.KerasTensor, width: int, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))
