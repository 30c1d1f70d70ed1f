"""`python -m api`: the gateway."""

import logging
import sys
import warnings

import uvicorn
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api.main import create_app
from api.settings import PREFIX, UnknownSetting, read_settings


def main() -> int:
    """Serve until told to stop. Returns the exit status."""
    try:
        settings = read_settings()
    except UnknownSetting as error:
        return _refuse(str(error))
    except ValidationError as error:
        return _refuse("; ".join(map(_broken_rule, error.errors())))
    # Only our own loggers follow the setting: libraries log what they read, such as a patient's name in EXIF.
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # What these say of an odd value repeats it.
    for library in ("pydicom", "highdicom"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=library)
    logging.getLogger("cxr").setLevel(settings.log_level.upper())
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        access_log=False,  # it would repeat query strings; the gateway logs its own line
        server_header=False,
    )
    return 0


def _refuse(reason: str) -> int:
    print(f"The gateway does not start: {reason}", file=sys.stderr)
    return 2


def _broken_rule(error: ErrorDetails) -> str:
    names = [PREFIX + str(part).upper() for part in error["loc"][:1]]
    return ": ".join([*names, error["msg"].removeprefix("Value error, ")])


if __name__ == "__main__":
    sys.exit(main())
