"""The browser that is installed here, and how it is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.servers.program import Unavailable


def find_chromium() -> Path:
    """The path of a Chromium (or Chrome) that playwright can drive."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    places = (
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    )
    for found in (*(shutil.which(name) for name in names), *places):
        if found is not None and Path(found).is_file():
            return Path(found)
    raise Unavailable("Chromium is not installed (Debian: apt-get install chromium)")


def chromium_arguments() -> list[str]:
    """What Chromium must be told: root has no sandbox, and a container's /dev/shm is too small for it."""
    return ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
