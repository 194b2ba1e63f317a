"""The running demo lake as the end-to-end tests see it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from lake_config.settings import Settings
from orchestration.services.dagster_home import REPOSITORY

SCALE = "0.2"
ARTIFACTS = REPOSITORY / "test-artifacts"


@dataclass(frozen=True)
class DemoLake:
    """A running demo lake: its settings, the environment its commands need, and what the demo said of itself (its JSON)."""

    settings: Settings
    environment: dict[str, str]
    report: dict[str, Any]

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `./lake` with these arguments against this lake."""
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def answer(self, *arguments: str) -> Any:
        """What `./lake` with these arguments prints as JSON. Fails with its words when it fails."""
        done = self.command(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
