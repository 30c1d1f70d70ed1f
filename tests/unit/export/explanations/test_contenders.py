"""The driver finds what the gateway finds, and the baselines know nothing."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from api.explain.evidence import FRAME
from api.pipeline import Pipeline
from api.types import (
    ExplainOptions,
    Explanation,
    GradientFinding,
    MapFinding,
    OcclusionFinding,
    Policy,
    SilhouetteFinding,
    SilhouetteGridFinding,
    SiteDecision,
)
from export.explanations.cells import cell_means
from export.explanations.contenders import baselines, contenders, explain, is_silent, look_at, maps_of
from export.explanations.model_files import ModelFiles, open_models
from serving import BackendSettings, open_backend
from tests import tiny_repository as tiny
from tests.images import encode

PIXELS = np.random.default_rng(5).integers(0, 256, (150, 200), dtype=np.uint8)


async def of_the_gateway(repository: Path, options: ExplainOptions) -> Mapping[str, Explanation]:
    backend = await open_backend(BackendSettings("embedded", repository))
    policy = Policy(10**6, 60.0, refuse_other_images=False, site=SiteDecision(), service_version="0")
    with ThreadPoolExecutor(2) as threads:
        report = await Pipeline(backend, threads, policy).report(encode(PIXELS), options)
    await backend.close()
    assert report.explanations is not None
    return report.explanations


@pytest.mark.parametrize("regions", [None, 16])
def test_the_driver_finds_what_the_gateway_finds(tiny_repository: Path, regions: int | None) -> None:
    methods = tuple(name for name, contender in contenders().items() if name == contender.method)
    options = ExplainOptions(methods, always=True, regions=regions)
    models = open_models(tiny_repository)
    chosen = {name: type(contender)(name, options) for name, contender in contenders().items() if name in methods}
    found = explain(look_at(PIXELS, models), chosen, models)
    expected = asyncio.run(of_the_gateway(tiny_repository, options))
    assert list(found) == list(expected)
    for name, explanation in expected.items():
        match found[name], explanation.finding:
            case MapFinding() as one, MapFinding() as other:
                np.testing.assert_allclose(one.values, other.values, rtol=1e-5, atol=1e-7)
            case GradientFinding() as one, GradientFinding() as other:
                np.testing.assert_allclose(one.importance, other.importance, atol=1e-6)
            case OcclusionFinding() as one, OcclusionFinding() as other:
                drops, expected_drops = ([each.drop for each in finding.regions] for finding in (one, other))
                np.testing.assert_allclose(drops, expected_drops, atol=1e-5)
            case SilhouetteFinding() as one, SilhouetteFinding() as other:
                assert one == other
            case SilhouetteGridFinding() as one, SilhouetteGridFinding() as other:
                assert dict(one.scores) == dict(other.scores)
            case one, other:
                pytest.fail(f"{name}: {type(one)} and {type(other)}")


def test_which_methods_look_at_the_classifier() -> None:
    seeing = {name for name, contender in contenders().items() if contender.looks_at_classifier}
    assert {"saliency", "grad_cam", "grad_cam_plus_plus", "occlusion", "occlusion, 16"} <= seeing
    assert {"silhouette", "silhouette, 6 on the lungs", "gradient"}.isdisjoint(seeing)
    assert "layers" not in contenders()


def test_a_finding_that_says_nothing_is_a_flat_map(models: ModelFiles) -> None:
    flat = look_at(np.full((64, 64), 100, np.uint8), models)
    chosen = {name: contenders()[name] for name in ("grad_cam", "occlusion")}
    for evidence in maps_of(explain(flat, chosen, models)).values():
        assert is_silent(evidence)
        assert evidence.heat.shape == (FRAME, FRAME)


def test_baselines() -> None:
    maps = baselines(np.random.default_rng(0))
    cells = cell_means(maps["random"].heat)
    assert len(np.unique(cells)) == cells.size
    assert abs(cells.mean() - 0.5) < 3.5 * np.sqrt(1 / 12 / cells.size)
    np.testing.assert_array_equal(cell_means(maps["random"].heat[::-1])[::-1], cells)
    centre = maps["centre"].heat
    # A quarter of the side away from the middle, the Gaussian has fallen to exp(-1/2) of its height.
    assert centre[112, 112 + 56] / centre[112, 112] == pytest.approx(np.exp(-0.5), abs=0.01)
    np.testing.assert_allclose(centre, centre.T[::-1, ::-1], atol=1e-6)


def test_a_repository_without_the_explaining_model_is_refused(tmp_path: Path) -> None:
    repository = tiny.build(tmp_path / "repository")
    (repository / "classifier_explain").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="classifier_explain"):
        open_models(repository)


def test_a_model_that_explains_another_classifier_is_refused(tmp_path: Path, repository: Path) -> None:
    mixed = tiny.build(tmp_path / "repository")
    (mixed / "classifier_explain").rename(tmp_path / "elsewhere")
    (mixed / "classifier_explain").symlink_to(repository / "classifier_explain")
    with pytest.raises(ValueError, match="made from it"):
        open_models(mixed)
