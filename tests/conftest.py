"""A cache of finished SPICE runs for the whole test session, apart from the user's."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def run_cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("cache")
    patch.setenv("NEURONSIM_CACHE", str(folder))
    yield folder
    patch.undo()
