"""What a Bundle says in plain sentences."""

from api.reports.wording import warnings_of
from api.types import DISCLAIMER, Report

NO_DISEASE_SHOWN = "The picture shows what a method points to, not that there is disease."


def notes_of(report: Report) -> list[str]:
    """List what to know about a finding: the disclaimer, then what is unusual about the image."""
    return [DISCLAIMER, *warnings_of(report)]
