from __future__ import annotations

import pytest

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.load import load_text
from mockbifrost.vocabulary.later import LATER, LATER_ENDS

PLACES = {
    "stub": "version: 1\nstubs:\n  - {KEY: x, reply: a}\n",
    "sequence step": "version: 1\nstubs:\n  - sequence: [{KEY: x, reply: a}]\n",
}


@pytest.mark.parametrize(("place", "key"), LATER)
def test_a_key_of_a_later_release_is_refused_with_its_sentence(place: str, key: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_text(PLACES[place].replace("KEY", key), "later.yaml")
    [finding] = caught.value.findings
    assert finding.message == LATER[(place, key)]
    assert "in this version yet" in finding.message
    assert f"`{key}`" in finding.message


@pytest.mark.parametrize("end", LATER_ENDS)
def test_an_end_of_a_later_release_is_refused_with_its_sentence(end: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_text(f"version: 1\nstubs:\n  - raw: {{text: a, end: {end}}}\n", "later.yaml")
    assert str(caught.value) == f"later.yaml:3:25: stubs[0].raw.end: {LATER_ENDS[end]}"
