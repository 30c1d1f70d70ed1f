"""The benchmark as Markdown, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from export.evaluation.report import markdown_table
from export.explanations.contenders import BASELINES
from export.explanations.measures import COMPARED, DECISIVE, LUNGS, STABILITY

_NONE = "n/a"
_TITLES = {"random": "a random map", "centre": "a Gaussian in the centre"}


def benchmark_report(record: Mapping[str, Any], picture: str, command: str) -> str:
    """Write up a benchmark.

    Parameters
    ----------
    record
        What `run_benchmark` returns.
    picture
        File name of the picture beside the report.
    command
        The command line that makes all of it.
    """
    blocks = [
        f"## Measured on {record['radiographs']}",
        _subject(record),
        f"```\n{command}\n```",
        _figures(record),
        _legend(record),
        "Difference to the better of the two baselines, image by image; in bold what is not clearly better:",
        _differences(record),
        f"![The figures of the table with their intervals]({picture})",
        *_verdicts(record),
    ]
    return "\n\n".join(blocks)


def insert_report(text: str, report: str, split: str) -> str:
    """Put the report in the place of the last one on this split, between its markers; at the end if there is none."""
    begin, end = (f"<!-- explanations measured on {split}: {which} -->" for which in ("begin", "end"))
    block = f"{begin}\n{report}\n{end}"
    if begin in text and end in text:
        before, rest = text.split(begin, 1)
        return f"{before}{block}{rest.split(end, 1)[1]}"
    return f"{text.rstrip()}\n\n{block}\n".lstrip()


def _subject(record: Mapping[str, Any]) -> str:
    return (
        f"{record['images']} radiographs of {record['patients']} patients: "
        f"{record['selection']}. Classifier `{record['classifier_sha256'][:8]}`. Lungs: {_lungs(record)}. "
        "Intervals are 95 %, by drawing patients."
    )


def _lungs(record: Mapping[str, Any]) -> str:
    if record["lung_share_of_frame"] is None:
        return "unknown"
    sources = f"{record['reference_masks']} masks drawn by people, {record['segmented_masks']} by the lung segmenter"
    return f"{sources}; they cover {record['lung_share_of_frame']:.0%} of the frame"


def _figures(record: Mapping[str, Any]) -> str:
    head = (
        "map", "insertion ↑", "deletion ↓", "energy in the lungs ↑", "stability", "agreement", "next patient",
        "shuffled weights", "beats both baselines",
    )  # fmt: skip
    rows = [
        (
            f"`{name}`" if method["beats_both_baselines"] else f"`{name}` †",
            *_cells(method["figures"]),
            _interval(method["agreement"]),
            _interval(method["between_patients"]),
            _shuffled(method["randomisation"]),
            _judgement(method),
        )
        for name, method in record["methods"].items()
    ]
    rows += [(_TITLES[name], *_cells(record["baselines"][name]["figures"]), "", "", "", "") for name in BASELINES]
    return markdown_table(head, rows)


def _cells(figures: Mapping[str, Any]) -> Iterator[str]:
    for measure in (*DECISIVE, STABILITY):
        yield _interval(figures.get(measure.key))


def _interval(figure: list[float] | None) -> str:
    return _NONE if figure is None else f"{figure[0]:.2f} ({figure[1]:.2f} to {figure[2]:.2f})"


def _shuffled(randomisation: Mapping[str, Any]) -> str:
    if not randomisation["looks_at_classifier"]:
        return "fails: does not look at the classifier"
    if randomisation["passes"] is None:
        return _NONE
    word = "passes" if randomisation["passes"] else "**fails**"
    return f"{word}: {_interval(randomisation['rank_correlation'])}"


def _judgement(method: Mapping[str, Any]) -> str:
    versus = method["versus_better_baseline"]
    lacking = [each.title for each in DECISIVE if each.key not in versus or not versus[each.key]["beats"]]
    return "yes" if not lacking else f"no: {', '.join(lacking)}"


def _legend(record: Mapping[str, Any]) -> str:
    """Say what the columns mean, and which map is marked."""
    points = (
        "Insertion, deletion: area under the log-odds of PNEUMONIA while the cells that a map ranks highest are shown, "
        f"or hidden, first, in {record['levels']} steps. What is hidden is blurred. The log-odds decide, because "
        "probabilities near 1 hardly move.",
        "Energy: the share of what a map shows that lies in the lungs. What is asked to stay on the lungs lies there "
        "by construction.",
        "Stability: correlation with the map of the radiograph shifted by 1/56 of its side.",
        "Agreement: mean rank correlation with the maps of all other methods.",
        "Next patient: rank correlation with the map of another patient's radiograph; it is high where a map looks "
        "much the same for everybody.",
        "Shuffled weights: rank correlation with the map of a network whose weights were put in a random order and "
        f"given random signs, on {record['shuffled_images']} of the radiographs. A method fails from "
        f"{record['failing_rank_correlation']} on.",
        "† does not clearly beat both baselines on insertion, deletion and energy.",
    )
    return "\n".join(f"- {point}" for point in points)


def _differences(record: Mapping[str, Any]) -> str:
    head = ("map", *(f"{measure.title} {'↑' if measure.rises else '↓'}" for measure in COMPARED))
    return markdown_table(head, [(f"`{name}`", *_against(method)) for name, method in record["methods"].items()])


def _against(method: Mapping[str, Any]) -> Iterator[str]:
    for measure in COMPARED:
        versus = method["versus_better_baseline"].get(measure.key)
        if versus is None:
            yield _NONE
            continue
        digits = 2 if measure in (*DECISIVE[:2], LUNGS) else 3
        text = " to ".join(f"{value:+.{digits}f}" for value in versus["difference"][1:])
        text = f"{versus['difference'][0]:+.{digits}f} ({text})"
        yield text if versus["beats"] else f"**{text}**"


def _verdicts(record: Mapping[str, Any]) -> Iterator[str]:
    methods = record["methods"]
    yield _sentence(
        "Clearly better than both baselines on all three", [n for n, m in methods.items() if m["beats_both_baselines"]]
    )
    yield _sentence(
        "Much the same map from a network with shuffled weights, which fails the check", record["fails_randomisation"]
    )
    blind = [name for name, method in methods.items() if not method["randomisation"]["looks_at_classifier"]]
    yield _sentence("Look at the image alone, and so say nothing about the classifier", blind)
    silent = [f"{name} ({method['silent_images']})" for name, method in methods.items() if method["silent_images"]]
    if silent:
        yield _sentence("Said nothing about places, in so many radiographs", silent)


def _sentence(what: str, names: list[str]) -> str:
    return f"{what}: {', '.join(names) if names else 'none'}."
