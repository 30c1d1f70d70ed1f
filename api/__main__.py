"""`python -m api`: the gateway."""

import logging
import sys

import uvicorn
from pydantic import ValidationError

from api.main import create_app
from api.settings import UnknownSetting, read_settings


def main() -> int:
    """Serve until told to stop. Returns the exit status."""
    try:
        settings = read_settings()
    except (UnknownSetting, ValidationError) as error:
        print(f"The gateway does not start: {error}", file=sys.stderr)
        return 2
    # Only our own loggers follow the setting: libraries log what they read, such as a patient's name in EXIF.
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s %(message)s")
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


if __name__ == "__main__":
    sys.exit(main())
