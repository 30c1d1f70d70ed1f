"""One radiograph in every way that DICOM may store it, through the gateway: the answer must not depend on it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TypeAlias

import httpx
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from api.settings import Settings
from tests.api.conftest import running_gateway
from tests.dicom.files import Storage, dataset, written
from tests.dicom.variants import COLOURS, GREY_LEVELS, LOSSY, PIXELS, SYNTAXES, Levels
from tests.images import encode

Pairs: TypeAlias = Mapping[str, tuple[Levels, float]]

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
# Samples whose probability (0.46, 0.08, 0.92) is not so near 0 or 1 that nothing would change it.
UNDECIDED, NORMAL, PNEUMONIA = "normal-3", "normal-5", "pneumonia-4"
LOSSLESS = {**PIXELS, **GREY_LEVELS, **COLOURS, **SYNTAXES}
MOST_WITHOUT_LOSS, MOST_WITH_LOSS = 0.005, 0.02


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shipped(shipped_repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=shipped_repository)) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(shipped: httpx.AsyncClient) -> Pairs:
    return {sample: await with_answer(shipped, read_levels(sample)) for sample in (NORMAL, PNEUMONIA)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(shipped: httpx.AsyncClient) -> Pairs:
    return {sample: await with_answer(shipped, halved(read_levels(sample))) for sample in (UNDECIDED, PNEUMONIA)}


async def with_answer(client: httpx.AsyncClient, levels: Levels) -> tuple[Levels, float]:
    """Give a radiograph with its probability as a PNG file."""
    return levels, await probability(client, encode(levels))


def read_levels(sample: str) -> Levels:
    with Image.open(SAMPLES / f"{sample}.jpeg") as image:
        return np.asarray(image)


def halved(levels: Levels) -> Levels:
    """Shrink a radiograph to half its sides and to odd ones, so that uncompressed 8-bit values need a padding byte."""
    rows, columns = (side // 4 * 2 - 1 for side in levels.shape)
    return np.asarray(Image.fromarray(levels).resize((columns, rows), Image.Resampling.BOX))


async def probability(client: httpx.AsyncClient, image: bytes) -> float:
    answer = await client.post("/v1/predict", files={"image": ("x", image)})
    assert answer.status_code == 200, answer.text
    return float(answer.json()["prediction"]["probabilities"]["PNEUMONIA"])


@pytest.mark.parametrize(
    ("sample", "variant"),
    [*((UNDECIDED, variant) for variant in LOSSLESS), *((PNEUMONIA, variant) for variant in PIXELS)],
)
async def test_the_way_of_storing_does_not_change_the_answer(
    shipped: httpx.AsyncClient, small: Pairs, sample: str, variant: str
) -> None:
    levels, as_png = small[sample]
    assert await probability(shipped, LOSSLESS[variant](levels)) == pytest.approx(as_png, abs=MOST_WITHOUT_LOSS)


@pytest.mark.parametrize("sample", [NORMAL, PNEUMONIA])
@pytest.mark.parametrize("variant", LOSSY)
async def test_lossy_compression_hardly_changes_the_answer(
    shipped: httpx.AsyncClient, whole: Pairs, sample: str, variant: str
) -> None:
    """Where the model is undecided, it may change by 0.04: one grey level more or less tells there, in any format."""
    levels, as_png = whole[sample]
    assert await probability(shipped, LOSSY[variant](levels)) == pytest.approx(as_png, abs=MOST_WITH_LOSS)


@pytest.mark.parametrize("inverted", [False, True], ids=["MONOCHROME2", "MONOCHROME1"])
async def test_padding_is_black(shipped: httpx.AsyncClient, inverted: bool) -> None:
    """As DICOM has it, padding takes part in no rescaling; here it is a value that would be white."""
    levels = halved(read_levels(UNDECIDED)).copy()
    levels[:, :40] = levels[:, -40:] = 0
    storage = Storage(12, inverted=inverted, low=0, high=4000)
    white = 0 if inverted else 4095
    values = storage.store(levels)
    values[:, :40] = values[:, -40:] = white
    file = written(dataset(levels, storage, PixelPaddingValue=white, PixelData=values.tobytes()))
    as_png = await probability(shipped, encode(levels))
    assert await probability(shipped, file) == pytest.approx(as_png, abs=MOST_WITHOUT_LOSS)


async def test_the_sample_object_is_answered_as_the_file_that_it_holds(shipped: httpx.AsyncClient) -> None:
    files = [(SAMPLES / f"pneumonia-1.{kind}").read_bytes() for kind in ("dcm", "jpeg")]
    of_dicom, of_jpeg = [(await shipped.post("/v1/predict", files={"image": file})).json() for file in files]
    assert of_dicom["prediction"] == of_jpeg["prediction"]
    assert of_dicom["quality"] == of_jpeg["quality"]
