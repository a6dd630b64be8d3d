"""What a request says never breaks out of the headers of its answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.wire.profiles import ProfileName
from tests.app.in_process import App

SCENARIO = """
version: 1
stubs:
  - name: "naïve 你 \\r\\nx-evil: 1"
    reply: {content: Yes., headers: {x-said: "{{ user }}", x-model: "{{ model }}"}}
"""
PROFILES: tuple[ProfileName, ...] = ("documented", "1.6", "2.2")
APPS: dict[ProfileName, App] = {}


def app_of(profile: ProfileName) -> App:
    if profile not in APPS:
        APPS[profile] = App(SCENARIO, version=profile)
    return APPS[profile]


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    while APPS:
        APPS.popitem()[1].close()


@settings(deadline=None, max_examples=50)
@given(
    model=st.text(min_size=1, max_size=20) | st.just("gpt\r\nx-evil: 1") | st.just("a\0b\x7f\x85\u2028"),
    said=st.text(max_size=20) | st.just("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") | st.just("\ud7ff\U0010ffff"),
    stream=st.booleans(),
)
@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_breaks_out(profile: ProfileName, model: str, said: str, stream: bool) -> None:
    app = app_of(profile)
    body = {"messages": [{"role": "user", "content": said}], "stream": stream}
    plain = app.chat({"model": "gpt-4o", **body})
    answer = app.chat({"model": model, **body})
    if answer.status != 200:  # `openai/` and the like
        return

    without = {"x-bifrost-original-model", "x-bifrost-resolved-model", "x-bifrost-routing-info-model"}
    names, expected = (
        [name.decode() for name, _ in one.headers if name.decode() not in without] for one in (answer, plain)
    )
    assert names == expected
    assert "x-evil" not in names
    for _name, value in answer.headers:
        assert not any((byte < 32 and byte != 9) or byte == 127 for byte in value)


def test_what_fits_no_header_is_written_in_percent_form() -> None:
    answer = app_of("documented").chat({"model": "gpt-4o", "messages": [{"role": "user", "content": "né\n🙂"}]})

    assert answer.header("x-said") == "n%C3%A9 %F0%9F%99%82"
    assert answer.header("x-mockbifrost-stub") == "na%C3%AFve %E4%BD%A0   x-evil: 1"
