"""What the documents link to and the files that they name exist."""

import re
from pathlib import Path

import pytest

from tests.packaging.project import ROOT, tracked_files

TRACKED = tracked_files()
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md" and path.name != "CHANGELOG.md"]
CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
FOLDERS = "|".join({folder for path in TRACKED if (folder := path.relative_to(ROOT).parts[0])[0] != "."})
NAMED = re.compile(rf"`((?:{FOLDERS})/[\w./-]*)`")


def anchors(document: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestDocument:
    """What holds of each document."""

    def test_links_lead_somewhere(self, document: Path) -> None:
        for link, anchor in re.findall(
            r"\]\((?!\w+:)([^)#]*)(?:#([^)]+))?\)", CODE.sub("", document.read_text("utf-8"))
        ):
            target = document.parent / link if link else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), f"{link}#{anchor}"

    def test_files_named_exist(self, document: Path) -> None:
        named = NAMED.findall(document.read_text("utf-8"))
        assert [path for path in named if not (ROOT / path).exists()] == []
