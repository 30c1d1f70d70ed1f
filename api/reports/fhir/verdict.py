"""What a prediction says of pneumonia: present, absent or indeterminate, in words and in codes."""

from dataclasses import dataclass

from api.reports.fhir.codes import (
    ABSENT,
    INDETERMINATE,
    NEGATIVE,
    PNEUMONIA,
    POSITIVE,
    PRESENT,
    UNDETERMINED,
    Code,
)
from api.types import POSITIVE_LABEL, Prediction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of pneumonia.

    `word` and `value` say it of the finding, `interpretation` of the score. `conclusion` says it without naming
    pneumonia beside; it is empty where no code means that.
    """

    word: str
    value: Code
    interpretation: Code
    conclusion: tuple[Code, ...] = ()

    @property
    def words(self) -> str:
        """The verdict with what it is about."""
        return f"Pneumonia {self.word.lower()}"


_PRESENT = Verdict("Present", PRESENT, POSITIVE, (PNEUMONIA,))
_ABSENT = Verdict("Absent", ABSENT, NEGATIVE)
_INDETERMINATE = Verdict("Indeterminate", UNDETERMINED, INDETERMINATE)


def verdict_of(prediction: Prediction) -> Verdict:
    """Read a prediction. NORMAL means that pneumonia is absent, and nothing else."""
    if prediction.indeterminate:
        return _INDETERMINATE
    return _PRESENT if prediction.label == POSITIVE_LABEL else _ABSENT
