from __future__ import annotations

import pytest
from pydantic import ValidationError

from mockbifrost.vocabulary.settings import GatewaySettings


@pytest.mark.parametrize(
    ("written", "version"), [(2.2, "2.2"), (1.6, "1.6"), ("2.2", "2.2"), ("documented", "documented")], ids=repr
)
def test_a_version_written_as_a_number_is_taken_as_text(written: object, version: str) -> None:
    assert GatewaySettings.model_validate({"version": written}).version == version


def test_the_defaults() -> None:
    settings = GatewaySettings.model_validate({"providers": {"openai": {}}})
    assert settings.version == "documented"
    assert settings.providers is not None
    assert settings.providers["openai"].models == ("*",)
    assert GatewaySettings().providers is None


@pytest.mark.parametrize(
    "data", [{"version": "3.0"}, {"version": 3.0}, {"version": True}, {"versoin": "2.2"}, {"providers": []}]
)
def test_what_is_not_known_is_refused(data: object) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings.model_validate(data)
