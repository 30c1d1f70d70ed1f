"""Hidden regions and the share of the disease that stays visible, counted by hand."""

import numpy as np
import pytest

from export.data.mask_augmentation import MaskAugmentation, hide_region, visible_share

IMAGE = np.random.default_rng(0).integers(50, 200, (40, 40), dtype=np.uint8)


@pytest.mark.parametrize("rule", ["keep", "weak"])
def test_only_what_is_hidden_changes(rule: str) -> None:
    for seed in range(30):
        copy, hidden = hide_region(IMAGE, rule, np.random.default_rng(seed))
        np.testing.assert_array_equal(copy[~hidden], IMAGE[~hidden])
        assert hidden.any()
        assert copy[hidden].std() < IMAGE[hidden].std() or hidden.sum() < 30


def test_regions_that_keep_the_label_are_small() -> None:
    """Three rectangles of a fifth of a side at most: 12 % of the image."""
    assert max(hide_region(IMAGE, "keep", np.random.default_rng(s))[1].mean() for s in range(50)) <= 0.12


def test_halves_and_quadrants_are_among_the_larger_regions() -> None:
    shares = {round(float(hide_region(IMAGE, "weak", np.random.default_rng(s))[1].mean()), 4) for s in range(60)}
    assert {0.5, 0.25} <= shares


def test_the_visible_share_counts_the_activation_outside() -> None:
    activation = np.array([[3, 1], [0, 4]], dtype=np.float32)
    hidden = np.zeros((40, 40), dtype=bool)
    hidden[:20, :20] = True
    assert visible_share(activation, hidden) == pytest.approx(5 / 8)
    hidden[:20, 20:30] = True  # half of the upper right cell as well
    assert visible_share(activation, hidden) == pytest.approx(4.5 / 8)
    assert visible_share(activation, np.ones((40, 40), dtype=bool)) == pytest.approx(0)


def test_without_activation_nothing_is_taken_for_hidden() -> None:
    assert visible_share(np.zeros((2, 2), np.float32), np.ones((40, 40), dtype=bool)) == 1


@pytest.mark.parametrize(("rule", "run"), [("weak", ""), ("keep", "first"), ("drop", "")])
def test_a_rule_needs_what_it_needs(rule: str, run: str) -> None:
    with pytest.raises(ValueError, match=f"rule={rule}"):
        MaskAugmentation(rule, activation_run=run)
