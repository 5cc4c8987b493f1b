"""The providers whose bills can be compared, and how their report is had: over HTTP, or from files."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from otel_costs.cli.reconciliation import anthropic, aws, azure, deepgram, elevenlabs, files, google, openai
from otel_costs.cli.reconciliation.pages import Source
from otel_costs.cli.reconciliation.refusals import shaped
from otel_costs.cli.reconciliation.reported import (
    API_KEY,
    PROJECT,
    Line,
    ProviderError,
    Question,
    Report,
    Reported,
    Terms,
)
from otel_costs.cli.reconciliation.saved_pages import SavedPages, refuse_twice

MODULES: Final[Mapping[str, ModuleType]] = {
    module.TERMS.name: module for module in (openai, azure, anthropic, google, elevenlabs, deepgram, aws)
}

NEVER_MET: Final = (
    "written against documentation and never run against the real one: check the first report of it by hand"
)
"""What is said of every module, in help, documentation and output."""

_MOST_KEY: Final = 16 * 1024  # characters


@dataclass(frozen=True, slots=True)
class Vendor:
    """A provider whose bill can be compared, by name."""

    name: str

    @property
    def terms(self) -> Terms:
        """What its module says of its report."""
        terms: Terms = MODULES[self.name].TERMS
        return terms

    def key(self, path: Path | None) -> str:
        """Return the key: of a file, or of the variable. Raises ProviderError."""
        terms = self.terms
        if not terms.env_key:
            raise ProviderError(f"{terms.title} is compared from files: give --file, {terms.files}")
        if path is not None:
            try:
                found = path.read_text(encoding="utf-8")[:_MOST_KEY].strip()
            except (OSError, UnicodeDecodeError) as error:
                problem = getattr(error, "strerror", None) or "it is not UTF-8"
                raise ProviderError(f"the file of the key cannot be read: {problem}") from None
        else:
            found = os.environ.get(terms.env_key, "").strip()
        if not found:
            raise ProviderError(f"no key for {terms.title}'s usage and costs: {terms.which_key}")
        return found

    def check(self, question: Question, *, has_files: bool) -> None:
        """Raise ProviderError for a part of the bill that cannot be asked for alone: all would be taken for it."""
        terms = self.terms
        given = {PROJECT: question.projects, API_KEY: question.api_keys}
        for name in (name for name, values in given.items() if values):
            if name not in terms.filters:
                raise ProviderError(f"{terms.title}'s report has nothing by --{name}: leave it out")
            if has_files and (name == API_KEY or not hasattr(MODULES[self.name], "of_project")):
                raise ProviderError(f"a file of {terms.title}'s has nothing by --{name}: leave it out")

    def source(self, base_url: str | None, key: str) -> Source:
        """Return where its report is. Raises ProviderError."""
        made: Source = MODULES[self.name].source(base_url or self.terms.base_url, key)
        return made

    def asked(self, source: Source, question: Question) -> Reported:
        """Return what the provider reports. Raises ProviderError."""
        reported: Callable[[Source, Question], Reported] = MODULES[self.name].reported
        return reported(source, question)

    def read(self, paths: Sequence[Path], question: Question) -> Reported:
        """Return the report in files of its bill, without a request. Raises ProviderError."""
        if not self.terms.files:
            raise ProviderError(f"{self.terms.title} has no files of its bill that can be read")
        try:
            refuse_twice(paths)
        except OSError as error:
            raise ProviderError(f"a file of the bill cannot be read: {error.strerror}") from None
        report, pages = Report(question), SavedPages()
        for path in paths:
            report.add_all(self._lines(path, question, pages))
        pages.check(question)
        return report.of_files()

    def _lines(self, path: Path, question: Question, pages: SavedPages) -> Iterator[Line]:
        module = MODULES[self.name]
        kept = getattr(module, "of_project", None)
        for number, row in files.rows(path):
            with shaped(path.name, f"row {number}", "has"):
                pages.add(f"{path.name}, row {number},", row)
            if kept is None or not question.projects or kept(row, tuple(question.projects)):
                yield from _of_row(module, path, number, row)


def _of_row(module: ModuleType, path: Path, number: int, row: Mapping[str, Any]) -> list[Line]:
    with shaped(path.name, f"row {number}", "has"):
        return list(module.lines(row))
