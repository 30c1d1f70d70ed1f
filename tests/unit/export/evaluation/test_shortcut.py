"""Hiding the lungs leaves nothing of them, and a network that reads elsewhere is found out."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from export.data.examples import Example, read_split
from export.evaluation.shortcut import LungMasks, find_masks, hide, score_shortcuts, shortcut_figures


def lung_box(size: int = 64) -> NDArray[np.bool_]:
    mask = np.zeros((size, size), dtype=bool)
    mask[16:48, 8:56] = True
    return mask


def test_nothing_of_what_is_hidden_remains() -> None:
    """Two images that differ in the lungs alone become one."""
    generator = np.random.default_rng(0)
    first = generator.integers(0, 256, (64, 64), dtype=np.uint8)
    second = np.where(lung_box(), generator.integers(0, 256, (64, 64), dtype=np.uint8), first)
    masks = np.stack([lung_box()] * 2)
    hidden = hide(np.stack([first, second])[..., np.newaxis], masks)
    np.testing.assert_array_equal(hidden[0], hidden[1])
    np.testing.assert_array_equal(hidden[0, ..., 0][~lung_box()], first[~lung_box()])


def test_the_patch_is_the_gaussian_mean_of_what_is_visible() -> None:
    """Computed pixel by pixel."""
    generator = np.random.default_rng(1)
    image, mask = generator.integers(0, 256, (16, 16), dtype=np.uint8), np.zeros((16, 16), dtype=bool)
    mask[4:12, 5:10] = True
    patch = hide(image[np.newaxis, ..., np.newaxis], mask[np.newaxis])[0, ..., 0]
    rows, columns = np.mgrid[:16, :16]
    for row, column in ((4, 5), (8, 7), (11, 9)):
        weights = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 2.0**2)) * ~mask
        assert patch[row, column] == pytest.approx((weights * image).sum() / weights.sum(), abs=0.51)


def test_an_even_surrounding_leaves_no_edge() -> None:
    image = np.where(lung_box(), 20, 90).astype(np.uint8)
    assert (hide(image[np.newaxis, ..., np.newaxis], lung_box()[np.newaxis]) == 90).all()


def bright_at(rows: slice, columns: slice) -> NDArray[np.uint8]:
    """Eight images, every second one bright in a region."""
    images = np.random.default_rng(3).integers(60, 90, (8, 64, 64, 1), dtype=np.uint8)
    images[1::2, rows, columns] += 100
    return images


@pytest.mark.parametrize(
    ("rows", "columns", "lungs_hidden", "lungs_only"),
    [(slice(24, 40), slice(20, 44), "chance", 1.0), (slice(0, 8), slice(0, 8), 1.0, "chance")],
    ids=["reads lungs", "reads a corner"],
)
def test_a_network_is_found_to_read_lungs_or_a_corner(
    rows: slice, columns: slice, lungs_hidden: object, lungs_only: object
) -> None:
    images, targets = bright_at(rows, columns), np.array([0, 1] * 4)
    known = np.arange(2, 8)
    masks = LungMasks(known, np.stack([lung_box()] * 6), "made")

    def judge(seen: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.asarray((seen[:, rows, columns, 0] > 150).mean(axis=(1, 2)))

    scores = score_shortcuts(judge, images, masks)
    assert scores is not None
    figures = shortcut_figures(scores, targets, list("abcdefgh"), masks.source)
    expected = {"lungs_hidden": lungs_hidden, "lungs_only": lungs_only}
    assert figures["auc_whole"] == 1.0
    for part, value in expected.items():
        assert figures[f"auc_{part}"] == (0.5 if value == "chance" else value), part
    assert (figures["masks"], figures["images"], figures["patients"]) == ("made", 6, 6)


def test_reference_masks_are_found_by_name_and_widened(data: Path, tmp_path: Path) -> None:
    examples = read_split(data, "val")[:3]
    (tmp_path / "lung_masks").mkdir()
    mask = Image.fromarray(np.where(lung_box(), 255, 0).astype(np.uint8)).convert("1")
    mask.save(tmp_path / "lung_masks" / f"{examples[1].path.stem}.png")
    lungs = find_masks(examples, tmp_path, 64, None)
    assert lungs.positions.tolist() == [1]
    expected = np.zeros((64, 64), dtype=bool)
    expected[14:50, 6:58] = True  # two pixels of 64 on each side
    np.testing.assert_array_equal(lungs.masks[0], expected)


def test_without_masks_there_is_no_test(data: Path) -> None:
    lungs = find_masks(read_split(data, "val"), data, 32, None)
    assert score_shortcuts(lambda _: pytest.fail("judged"), np.zeros((16, 32, 32, 1), np.uint8), lungs) is None


def bright_segmenter(path: Path) -> Path:
    """Answers lungs where the image is brighter than 130."""
    nodes = [
        helper.make_node("Squeeze", ["image", "last"], ["flat"]),
        helper.make_node("Greater", ["flat", "level"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["mask"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "segmenter",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 40, 40, 1])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 40, 40])],
        [
            helper.make_tensor("last", TensorProto.INT64, [1], [3]),
            helper.make_tensor("level", TensorProto.UINT8, [], [130]),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_segmenter_finds_lungs_where_no_reference_is(data: Path, tmp_path: Path) -> None:
    """The made pneumonias are bright from row 20 of 40 on; the mask is wider by a pixel."""
    pneumonia: list[Example] = [example for example in read_split(data, "val") if example.target][:2]
    lungs = find_masks(pneumonia, data, 40, bright_segmenter(tmp_path / "s.onnx"))
    assert lungs.positions.tolist() == [0, 1]
    np.testing.assert_array_equal(lungs.masks.any(axis=2).argmax(axis=1), [19, 19])
    assert lungs.masks[:, 20:].all()
