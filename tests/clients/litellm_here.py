"""litellm as the tests use it: without its network, and quiet about its own warnings. Where it is not installed, they are skipped."""

from __future__ import annotations

import os
from typing import Any

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches prices from GitHub while it is imported
litellm: Any = pytest.importorskip("litellm", reason="litellm is not installed")

QUIET = [  # the first two: what litellm does on its first call
    pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class .* using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # the cost is declared as a number
]
