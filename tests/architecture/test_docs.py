"""The docs say what the code does: generated pages are fresh, links lead somewhere, the README fits a screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def test_the_reference_is_fresh() -> None:
    assert reference.stale() == [], "run `stunity docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()
    ]
    assert broken == []


def test_every_page_is_reachable_from_the_readme() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            todo += (
                sorted(target.glob("*.md")) if target.is_dir() else [target] if target.suffix == ".md" else []
            )
    assert {str(page.relative_to(ROOT)) for page in PAGES} <= {str(page.relative_to(ROOT)) for page in seen}


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60
