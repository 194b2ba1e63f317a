"""How far a lake has got with the demo city: LAKE_HOME/demo.json. Nothing else.

The city's server starts from it: one that came back smaller, larger or at an earlier round would serve other posts, and old words as new
versions.
"""

import json
from dataclasses import asdict, dataclass, replace

from lake_config.errors import ConfigError
from lake_config.settings import Settings, demo_marker, write_private


@dataclass(frozen=True)
class DemoState:
    """The size of the city, the round that is out, and the last round that went through the lake (0 before the first)."""

    scale: float
    released_round: int = 1
    collected_round: int = 0


def demo_state(settings: Settings) -> DemoState:
    """The state on file, or that of a lake that begins. Raises ConfigError when the file is broken or LAKE_DEMO_SCALE says another size."""
    marker = demo_marker(settings.home)
    if not marker.is_file():
        return DemoState(settings.demo_scale)
    try:
        state = DemoState(**json.loads(marker.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{marker} is not what the demo wrote ({error}): restore it, or begin in another LAKE_HOME.") from error
    if "LAKE_DEMO_SCALE" in settings.environment and settings.demo_scale != state.scale:
        raise ConfigError(
            f"The demo city of {settings.home} has the scale {state.scale:g}, LAKE_DEMO_SCALE says {settings.demo_scale:g}:"
            " unset it, or use another LAKE_HOME."
        )
    return state


def write_demo_state(settings: Settings, **changes: int) -> None:
    """Note that a round is out (released_round) or went through the lake (collected_round)."""
    write_private(demo_marker(settings.home), json.dumps(asdict(replace(demo_state(settings), **changes))).encode())
