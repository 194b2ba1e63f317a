"""Which code this is. Nothing else."""

import os
import subprocess
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def code_version() -> str:
    """LAKE_CODE_VERSION where it is set (images without git), else the git commit of the checkout with '-dirty' for local changes."""
    given = os.environ.get("LAKE_CODE_VERSION")
    if given:
        return given
    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "unversioned"
    return found.stdout.strip() or "unversioned"
