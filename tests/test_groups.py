"""pytest-xdist and pytest agree on groups; where they do not, each worker would silently pay for every story."""

import os

import pytest


@pytest.mark.xdist_group("grouped")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there are no groups without pytest -n")
def test_the_group_of_a_test_reaches_the_scheduler(request):
    assert request.node.nodeid.endswith("@grouped")
