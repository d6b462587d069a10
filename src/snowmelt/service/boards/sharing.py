"""Links that show one dashboard: made, listed, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from urllib.parse import urlencode

from snowmelt.errors import UsageError
from snowmelt.project.dashboards import load_dashboard
from snowmelt.project.filters import named_in, read_choices
from snowmelt.serve.commands import Document
from snowmelt.serve.shares import DAYS_DEFAULT, Share, Shares
from snowmelt.service.boards.rendering import Rendering
from snowmelt.service.dashboarding import metrics_of, relations_known
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.parts import Parts


class Sharing:
    """Answers who shares a dashboard of a project."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        project = parts.project
        self._shares = Shares(
            project.shares_path, project.session_key_path, parts.clock
        )

    def share(
        self, dashboard: str, days: int, origins: Sequence[str], filters: str | None
    ) -> Document:
        """Make a link. What is chosen for its viewers they cannot choose otherwise.

        Raises UsageError for a choice that a card does not take: it would show more
        than is meant.
        """
        found = load_dashboard(self._parts.project.root, dashboard)
        choices = read_choices(found.filters, filters)
        by_name = {each.filter.name: each for each in choices}
        rendering = Rendering(
            relations_known(self._parts), metrics_of(self._parts, found), by_name
        )
        locked = named_in(filters or "")
        for card in found.cards if locked else ():
            for name in locked:
                if name not in rendering.query(card).filters:
                    raise UsageError(
                        card.place,
                        f"this card does not take the filter '{name}', and would show "
                        "more than was chosen",
                        "Let its query take it, or share the dashboard as a whole.",
                    )
        share, token = self._shares.make(
            dashboard,
            DAYS_DEFAULT if days is None else days,
            origins,
            urlencode([pair for name in locked for pair in by_name[name].said]),
        )
        return {
            "schema_version": SCHEMA_VERSION,
            **_document(share),
            "path": f"/embed/{token}",
        }

    def all(self) -> Document:
        """Return the links there are, without what opens them."""
        shares = [_document(each) for each in self._shares.all()]
        return {"schema_version": SCHEMA_VERSION, "shares": shares}

    def unshare(self, share: str) -> Document:
        """Take a link back."""
        found = self._shares.remove(share)
        return {"schema_version": SCHEMA_VERSION, **_document(found)}


def _document(share: Share) -> Document:
    return {**asdict(share), "origins": list(share.origins)}
