"""Printing the story as it happens, and the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.demo.measure import Outcome


class Report:
    """A table per chapter; remembers what failed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.failed: list[str] = []

    def chapter(self, title: str, outcomes: list[Outcome]) -> None:
        """Print one chapter."""
        table = Table(
            title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False
        )
        table.add_column(width=2)
        table.add_column(min_width=48)
        table.add_column(justify="right", min_width=10)
        table.add_column(style="dim")
        for outcome in outcomes:
            mark = "[green]✓[/]" if outcome.ok else "[red]✗[/]"
            table.add_row(
                mark, outcome.where, "" if outcome.ms is None else f"{outcome.ms:,.0f} ms", outcome.note
            )
            if not outcome.ok:
                self.failed.append(f"{title}: {outcome.where}")
        self._console.print(table)
        self._console.print()

    def verdict(self) -> bool:
        """Print how it ended; True when everything was seen."""
        if self.failed:
            self._console.print(
                f"[red]{len(self.failed)} of the effects did not come:[/] {'; '.join(self.failed)}"
            )
        else:
            self._console.print(
                "[green]Everything arrived. Times are from the commit to the effect, measured here.[/]"
            )
        return not self.failed
