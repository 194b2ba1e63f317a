"""A small demo city, and that city served on a free port."""

from collections.abc import Iterator

import pytest

from orchestration.demo_city import City, generate
from orchestration.demo_city.server import DemoCityServer


@pytest.fixture(scope="session")
def city() -> City:
    return generate(scale=0.05)


@pytest.fixture
def served(city: City) -> Iterator[DemoCityServer]:
    with DemoCityServer(city) as server:
        yield server
