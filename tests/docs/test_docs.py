"""Every block of the README and of docs/ is run or checked, in order, page by page, as a reader would."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks_of, commands_of, fits, json_fits
from tests.docs.reader import NOT_OURS, ROOT, Reader, WrongPage

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
CLIENTS = {"agents", "instructor", "langchain_openai", "litellm", "openai", "pydantic_ai"}
BY_BLOCK = {"docs/how-to/clients.md"}
"""Pages whose Python stands by itself, block for block: each lane reads those of its clients."""
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if NOT_OURS.match(name)]:
        monkeypatch.delenv(name)
    made = Reader(tmp_path)
    yield made
    made.close()


def missing_clients(block: Block) -> set[str]:
    """Libraries of clients that a block imports and that are not here: only one lane of tests has them."""
    if block.language != "python":
        return set()
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(block.text))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    return {name for name in imported & CLIENTS if importlib.util.find_spec(name) is None}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: str, reader: Reader) -> None:
    blocks = list(blocks_of(ROOT / page, page))
    missing = {name for block in blocks for name in missing_clients(block)}
    if missing and page in BY_BLOCK:
        blocks = [block for block in blocks if not missing_clients(block)]
    elif missing:
        pytest.skip(f"not installed in this lane: {', '.join(sorted(missing))}")

    for block in blocks:
        reader.read(block)
    reader.finish()


@pytest.mark.parametrize("page", PAGES)
def test_all_code_stands_in_fences(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    fenced = [line for block in blocks_of(ROOT / page, page) for line in block.text.splitlines()]

    assert text.count("```") == 2 * len(list(blocks_of(ROOT / page, page)))
    assert [line for line in text.splitlines() if line.startswith("    ") and line not in fenced] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    source = (ROOT / page).read_text(encoding="utf-8")

    for target in LINK.findall(source):
        file, _, anchor = target.partition("#")
        if "://" in file:
            continue
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors_of(path.read_text(encoding="utf-8")), f"{page} links to {target}"


def anchors_of(markdown: str) -> set[str]:
    """The anchors that a viewer makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[str](), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            file = target.partition("#")[0]
            if file.endswith(".md") and "://" not in file:
                path = ((ROOT / page).parent / file).resolve()
                if path.is_relative_to(ROOT / "docs"):
                    waiting.append(str(path.relative_to(ROOT)))

    assert reached == set(PAGES)


def block(language: str, text: str, file: str = "") -> Block:
    return Block("page.md", 1, language, file, text)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(block("", "x"), id="no language"),
        pytest.param(block("yaml", "- {when: {usr: hello}, reply: x}"), id="a key that is not there"),
        pytest.param(block("yaml", "version: 1\nstubs: {}"), id="a file that does not load"),
        pytest.param(block("python", "1 / 0"), id="Python that fails"),
        pytest.param(block("python", "def", "test_x.py"), id="a file that is no Python"),
        pytest.param(block("sh", "rm -r scenarios"), id="a command that nothing checks"),
        pytest.param(block("sh", "mockbifrost serve scenarios/ --ports 1"), id="an option that is not there"),
        pytest.param(block("sh", "mockbifrost chekc scenarios/"), id="a command that is not there"),
        pytest.param(block("sh", "curl --magic 127.0.0.1:8080/health"), id="an option of curl that is not known"),
        pytest.param(block("sh", "curl 127.0.0.1:9090/health"), id="another address"),
        pytest.param(block("text", "output"), id="an output of nothing"),
    ],
)
def test_a_wrong_block_is_found(wrong: Block, reader: Reader) -> None:
    with pytest.raises(WrongPage, match=r"^page\.md:1: "):
        reader.read(wrong)


def test_a_wrong_output_is_found(reader: Reader) -> None:
    reader.read(block("sh", "mockbifrost check scenarios/"))
    reader.read(block("text", "… files, … stubs: all usable."))

    with pytest.raises(WrongPage, match="shown:"):
        reader.read(block("text", "1 file, 1 stub: all usable."))


def test_a_test_that_fails_is_found(reader: Reader) -> None:
    reader.read(block("python", "def test_x():\n    assert False\n", "test_x.py"))

    with pytest.raises(WrongPage, match="1 failed"):
        reader.finish()


def test_commands_may_go_on_in_the_next_line() -> None:
    text = "one a \\\n  b\n# a comment\ntwo '{\n}' && three\n"

    assert list(commands_of(text)) == [["one", "a", "b"], ["two", "{\n}"], ["three"]]


def test_what_is_left_out_may_be_anything() -> None:
    assert fits("a … c\n", "a b\nb c")
    assert not fits("a … c", "a b")
    assert json_fits('{"a": {"b": "x…"}, "c": "…"}', '{"c": [1], "a": {"b": "xyz", "d": 2}}')
    assert not json_fits('{"a": [1]}', '{"a": [1, 2]}')
