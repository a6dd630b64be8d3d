"""What holds for all tests.

Properties draw the same examples in every run: what is red stays red. `--hypothesis-profile=explore` looks further,
`few` is for the Pythons and dependencies that the whole suite has passed beside.
"""

# A run of pytest inside a test takes away the modules that it was the first to import, and what is left of a library is half of it.
import httpcore2  # noqa: F401
import httpx2  # noqa: F401
from hypothesis import HealthCheck, settings

settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("same"), max_examples=10)
settings.load_profile("same")
