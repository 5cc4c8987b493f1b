"""The pages below `docs/` are true: their programs run, and they name files that exist."""

import re
from pathlib import Path

import click
import pytest

from docs import generate
from otel_costs.cli.app import app
from otel_costs.stand_in import Provider

from .support.collector import Collector
from .support.program import Program, environ

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "otel_costs"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
IS_FILE = re.compile(r"^(?!/)[^=:<>$~]*\.(html|json|md|py|sh|sql|svg|toml|txt|ya?ml)$")
OF_OTHERS = {
    "app.py",  # the reader's own, as the next four
    "acme_costs.py",
    "acme_rpc_costs.py",
    "acme_voice_costs.py",
    "prices.yaml",
    "queries/reports/service_costs.sql",  # the reader's own, and the test's of docs/adding-a-report.md
    "overrides.txt",  # the reader's own
    "manifest.yaml",  # of the collector's distribution
    "plugin.json",  # of Grafana's plugin
}
CALL = """
import openai
openai.OpenAI().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "I am Ada"}])
"""


def programs(page: str) -> list[str]:
    """Return the blocks of a page that are whole programs."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links(page: Path) -> None:
    """No page links to what is not there."""
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_files_that_are_named(page: Path) -> None:
    """A file or folder in backticks is there, by its path from the root, or beside the page."""
    named = set(re.findall(r"`([^`\s]+)`", page.read_text(encoding="utf-8")))
    ours = {name for name in named if IS_FILE.search(name) or (name.partition("/")[0] in FOLDERS and "/" in name)}
    assert {name for name in ours - OF_OTHERS if not (_found(ROOT, name) or _found(page.parent, name))} == set()


def _found(folder: Path, pattern: str) -> bool:
    return any(folder.glob(pattern.rstrip("/")))


def test_files_of_others_are_named() -> None:
    """What need not be there is named somewhere."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {name for name in OF_OTHERS if f"`{name}`" not in text} == set()


def test_pages_that_the_code_names() -> None:
    """A docstring or a comment sends nobody to a page that is not there."""
    for source in [*PACKAGE.rglob("*.py"), *(ROOT / "queries").rglob("*.sql"), ROOT / "docker-compose.yml"]:
        for page in re.findall(r"(?<![\w./])docs/[\w/-]+\.md", source.read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), (source, page)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_sections_that_are_linked(page: Path) -> None:
    """A link to a section of a page finds it."""
    for link, section in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        assert section in sections(page.parent / link if link else page), f"{link}#{section}"


def sections(page: Path) -> set[str]:
    """Return the sections of a page, as links name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_commands_of_the_page_for_trouble() -> None:
    """Each command that it names is there, with the options that it gives."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    found = re.findall(r"otel-costs ([a-z]+)((?: [^`\n#]*)?)", page)
    assert len(found) > 20
    for name, rest in found:
        command = app.get_command(click.Context(app), name)
        assert command is not None, name
        first = rest.split()[:1]
        if isinstance(command, click.Group) and first and first[0] in command.commands:
            command = command.commands[first[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, f"otel-costs {name}{rest}"


def test_every_page_is_found() -> None:
    """The index names each page; decisions have an index of their own."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {name for name in pages | {"decisions/README.md", "../CHANGELOG.md"} if f"({name})" not in index} == set()


@pytest.mark.parametrize("name", generate.PAGES)
def test_pages_made_from_code(name: str) -> None:
    """A page that is made from code is the one that the code makes; `make docs` makes it anew."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generate.PAGES[name]()


@pytest.mark.long
def test_set_up_in_code(provider: Provider, tmp_path: Path) -> None:
    """The program of the page records a call, without `opentelemetry-instrument` and without a variable of the SDK."""
    (program,) = programs("setup-in-code.md")
    with Collector() as collector:
        environment = {key: value for key, value in environ(provider, collector).items() if "OTLP" not in key}
        source = program.replace("http://localhost:4318", collector.endpoint) + CALL
        with Program(source, tmp_path, environment, instrumented=False) as running:
            found = running.ended()
        assert (found.code, found.err) == (0, "")
        assert len(collector.calls()) == 1


@pytest.mark.long
def test_a_redactor_of_ones_own(provider: Provider, tmp_path: Path) -> None:
    """The function of the page changes what is recorded."""
    (program,) = programs("redaction.md")
    with Collector() as collector:
        environment = {
            **environ(provider, collector),
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY",
        }
        with Program(program + CALL, tmp_path, environment) as running:
            assert running.ended().code == 0
        bodies = [record["body"] for record in collector.records("otel_costs.message")]
        assert "I am [name]" in bodies
