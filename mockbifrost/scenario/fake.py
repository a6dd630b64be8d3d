"""Fake data, drawn by Faker from a seed of the attempt. Faker is imported when a stub first uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mockbifrost.scenario.templates import TemplateFailed
from mockbifrost.seeds import Draws

if TYPE_CHECKING:
    from faker import Faker

_NOT_DATA: Final = frozenset(
    {"seed_instance", "seed_locale", "add_provider", "seed", "set_formatter", "set_arguments", "del_arguments"}
)


class FakeData:
    """Calls Faker's providers; the same draws give the same data, for one version of Faker."""

    def __init__(self) -> None:
        self._faker: Faker | None = None

    def proxy(self, draws: Draws) -> Any:
        """`fake` in templates."""
        return _Proxy(self, draws)

    def seeded(self, draws: Draws) -> Faker:
        """Faker, as if new, for these draws."""
        if self._faker is None:
            from faker import Faker

            self._faker = Faker("en_US")
        self._faker.seed_instance(draws.integer("faker", 0, (1 << 62) - 1))
        return self._faker

    def __call__(self, calls: Mapping[str, Any], draws: Draws) -> str:
        """What the named methods of Faker give, in order, joined by blank lines, lists too. Raises TemplateFailed for an unknown one."""
        faker = self.seeded(draws)
        return "\n\n".join([_call(faker, method, given) for method, given in calls.items()])


def _call(faker: Faker, method: str, given: Any) -> str:
    found = getattr(faker, method, None) if not method.startswith("_") and method not in _NOT_DATA else None
    if not callable(found):
        raise TemplateFailed(f"Faker has no method {method!r}")
    try:
        if isinstance(given, Mapping):
            data = found(**given)
        elif given is None:
            data = found()
        else:
            data = found(*given) if isinstance(given, (list, tuple)) else found(given)
    except Exception as error:  # noqa: BLE001 - whatever a provider raises for its arguments
        raise TemplateFailed(f"Faker's {method} failed: {type(error).__name__}: {error}") from None
    return "\n\n".join([str(item) for item in data]) if isinstance(data, (list, tuple)) else str(data)


class _Proxy:
    """Seeds Faker at the first use in a template."""

    def __init__(self, data: FakeData, draws: Draws) -> None:
        self._data = data
        self._draws = draws
        self._faker: Faker | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _NOT_DATA:
            raise AttributeError(name)
        if self._faker is None:
            self._faker = self._data.seeded(self._draws)
        return getattr(self._faker, name)
