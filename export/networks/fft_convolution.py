"""A 2-D convolution computed by Fourier transform, for kernels as large as the image."""

import keras
import tensorflow as tf
from scipy import fft


@keras.saving.register_keras_serializable(package="cxr_explain")
class FFTConv2D(keras.layers.Layer):
    """The function, the weights and the initialisation of ``keras.layers.Conv2D(..., padding="same")``, stride 1.

    The gradient model's first layer, a 128x128 kernel on a 128x128 image, costs 0.8 billion multiplications
    an image when computed directly. By the convolution theorem it costs a few 192-point transforms. Keras's
    "convolution" is a cross-correlation, hence the complex conjugate of the kernel's spectrum.

    Input ``[n, h, w, channels]``, output ``[n, h, w, filters]``; kernel ``[kernel_size, kernel_size, channels,
    filters]`` and bias ``[filters]``, as in Conv2D, so that weights move between the two unchanged.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        kernel_initializer: str | keras.Initializer = "glorot_uniform",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernel and the bias."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Correlate the zero-padded image with the kernel."""
        height, width = inputs.shape[1], inputs.shape[2]
        transform = [_transform_length(side, self.kernel_size) for side in (height, width)]
        spectrum = tf.signal.rfft2d(tf.transpose(inputs, [0, 3, 1, 2]), transform)
        kernel_spectrum = tf.signal.rfft2d(tf.transpose(self.kernel, [3, 2, 0, 1]), transform)
        product = tf.einsum("ncij,fcij->nfij", spectrum, tf.math.conj(kernel_spectrum))
        correlation = tf.signal.irfft2d(product, transform)
        # TensorFlow pads an even kernel with one pixel less before the image than after it.
        before = (self.kernel_size - 1) // 2
        aligned = tf.roll(correlation, shift=[before, before], axis=[2, 3])[:, :, :height, :width]
        return tf.transpose(aligned, [0, 2, 3, 1]) + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the output: the input's, with `filters` channels."""
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, object]:
        """Arguments to build the layer anew."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _transform_length(side: int, kernel_size: int) -> int:
    """Find a fast length at which what wraps round lies outside the `side` values that are kept."""
    return int(fft.next_fast_len(max(side + kernel_size // 2, kernel_size), real=True))
