"""The questions of those who want to understand: lineage, catalog, quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowmelt.serve.commands import Document
from snowmelt.service.pages.catalog import catalog_document, table_document
from snowmelt.service.pages.profiles import profile_document
from snowmelt.service.pages.quality import quality_document, test_document
from snowmelt.service.pages.searching import search_document
from snowmelt.service.pages.whole_lineage import whole_lineage_document

if TYPE_CHECKING:
    from snowmelt.service.loop import Loop


class UnderstandingAnswers:
    """A part of `PageAnswers`: answers from a loop."""

    _loop: Loop

    def lineage(self, select: str | None, fold: str | None) -> Document:
        return whole_lineage_document(self._loop, select, fold)

    def catalog(self) -> Document:
        return catalog_document(self._loop)

    def table(self, name: str) -> Document:
        return table_document(self._loop, name)

    def profile(self, name: str) -> Document:
        return profile_document(self._loop, name)

    def quality(self, model: str | None, status: str | None) -> Document:
        return quality_document(self._loop, model, status)

    def quality_test(self, test: str) -> Document:
        return test_document(self._loop, test)

    def search(self, text: str | None) -> Document:
        return search_document(self._loop, text)
