"""Weights that take the style's information away, on data where the truth is known."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from export.data.style import style_features, style_propensity, style_weights

N = 2000


def confounded() -> tuple[NDArray[np.float64], NDArray[np.int64], list[str]]:
    """One style of two; 80 % of the pneumonias and 30 % of the normals have it."""
    generator = np.random.default_rng(0)
    targets = (generator.random(N) < 0.7).astype(np.int64)
    style = generator.random(N) < np.where(targets == 1, 0.8, 0.3)
    features = np.column_stack([style + generator.normal(0, 0.01, N), generator.normal(0, 1, N)])
    return features, targets, [str(i // 2) for i in range(N)]


def test_propensity_is_the_share_of_pneumonias_in_each_style() -> None:
    features, targets, groups = confounded()
    propensity = style_propensity(features, targets, groups)
    for style in (True, False):
        members = (features[:, 0] > 0.5) == style
        assert abs(propensity[members].mean() - targets[members].mean()) < 0.01


def test_weighted_style_no_longer_tells_the_label() -> None:
    features, targets, groups = confounded()
    weights = style_weights(features, targets, groups)
    assert roc_auc_score(targets, features[:, 0]) > 0.7
    assert abs(roc_auc_score(targets, features[:, 0], sample_weight=weights) - 0.5) < 0.02
    for target in (0, 1):
        np.testing.assert_allclose(weights[targets == target].mean(), 1)


def test_features_tell_a_sharp_image_from_a_smooth_one() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (64, 64))
    smooth = np.mean([np.roll(noise, (i, j), (0, 1)) for i in range(3) for j in range(3)], axis=0)
    sharp_features, smooth_features = style_features(np.stack([noise, smooth]).astype(np.uint8))
    slopes = slice(0, 12)
    assert smooth_features[slopes].sum() < sharp_features[slopes].sum()


def test_levels_are_percentiles_of_margins_and_frame() -> None:
    image = np.full((64, 64), 200, dtype=np.uint8)
    image[:9] = image[:, :5] = image[:, -5:] = 40  # the margins: 0.134 of the rows, 0.071 of the columns
    (features,) = style_features(image[np.newaxis])
    np.testing.assert_allclose(features[12:17], 40)
    np.testing.assert_allclose(features[17:21], np.percentile(image, [1, 5, 95, 99]))
    np.testing.assert_allclose(features[21:], [image.mean(), image.std()])
