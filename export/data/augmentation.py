"""Random changes of training images that a real radiograph could show.

No flips: a horizontal flip moves the heart to the wrong side, a vertical one is anatomically impossible.
"""

import math
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True, slots=True)
class AugmentationRange:
    """Largest deviation of each change. Angles in degrees, shifts and zooms as shares of the image size."""

    rotation: float = 8.0
    shift: float = 0.06
    zoom: float = 0.12
    stretch: float = 0.06
    contrast: float = 0.25
    brightness: float = 0.12
    gamma: float = 0.30


def augment(images: tf.Tensor, limits: AugmentationRange) -> tf.Tensor:
    """Change each image of a batch by its own random geometry and intensity.

    Parameters
    ----------
    images
        Grey levels as float, shape ``[n, h, w, 1]``, 0 to 255.
    limits
        How far to go.

    Returns
    -------
    The same shape and range.
    """
    moved = _random_affine(images, limits)
    return _random_intensity(moved, limits)


def _random_affine(images: tf.Tensor, limits: AugmentationRange) -> tf.Tensor:
    n = tf.shape(images)[0]
    size = tf.cast(tf.shape(images)[1:3], tf.float32)
    centre_y, centre_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    angle = _uniform(n, limits.rotation) * math.pi / 180
    zoom = tf.exp(_uniform(n, limits.zoom))
    stretch = tf.exp(_uniform(n, limits.stretch))
    a, b = tf.cos(angle) * zoom * stretch, -tf.sin(angle) * zoom
    c, d = tf.sin(angle) * zoom, tf.cos(angle) * zoom / stretch
    shift_x = _uniform(n, limits.shift) * size[1] + centre_x - a * centre_x - b * centre_y
    shift_y = _uniform(n, limits.shift) * size[0] + centre_y - c * centre_x - d * centre_y
    zeros = tf.zeros_like(a)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, shift_x, c, d, shift_y, zeros, zeros], axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(moved, images.shape)


def _random_intensity(images: tf.Tensor, limits: AugmentationRange) -> tf.Tensor:
    n = tf.shape(images)[0]

    def per_image(limit: float) -> tf.Tensor:
        return tf.reshape(_uniform(n, limit), [-1, 1, 1, 1])

    levels = tf.clip_by_value(images / 255, 0, 1)
    levels = tf.pow(levels, tf.exp(per_image(limits.gamma)))
    mean = tf.reduce_mean(levels, axis=[1, 2, 3], keepdims=True)
    levels = (levels - mean) * tf.exp(per_image(limits.contrast)) + mean + per_image(limits.brightness)
    return tf.clip_by_value(levels, 0, 1) * 255


def _uniform(n: tf.Tensor, limit: float) -> tf.Tensor:
    return tf.random.uniform([n], -limit, limit)
