"""What a prediction says of pneumonia: present, absent or indeterminate, in words and in codes."""

from collections.abc import Mapping
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
from api.reports.wording import Presence, presence_of
from api.types import Prediction


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


_VERDICTS: Mapping[Presence, Verdict] = {
    "present": Verdict("Present", PRESENT, POSITIVE, (PNEUMONIA,)),
    "absent": Verdict("Absent", ABSENT, NEGATIVE),
    "indeterminate": Verdict("Indeterminate", UNDETERMINED, INDETERMINATE),
}


def verdict_of(prediction: Prediction) -> Verdict:
    """Read a prediction."""
    return _VERDICTS[presence_of(prediction)]
