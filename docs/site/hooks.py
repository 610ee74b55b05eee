"""The pages of the site that are made of something else: the repository's own pages, schemas, the command line.

MkDocs calls `on_files` and `on_page_markdown` (`hooks` in mkdocs.yml). Links between pages are written as they work in
the repository; on the site the pages from above `docs/` lie beside the others.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from api import python_page
from keys import study_page
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from verbs import verbs_page

from models import MODELS, models_page

ROOT = Path(__file__).parents[2]

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # TensorFlow's notes would stand in the notebooks

FROM_ABOVE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "datasets/README.md": "datasets.md",
}
"""Pages of the repository that are pages of the site too, by the name that they have there."""

MADE = {"models.md": models_page, "python.md": python_page, "study-keys.md": study_page, "verbs.md": verbs_page}

PLACES = FROM_ABOVE | {f"models/{name}/README.md": f"models.md#{name}" for name in MODELS}
"""Where a link to a page of the repository leads."""

_LINK = re.compile(r"\]\((?!\w+:)(?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that no file of `docs/` holds."""
    for source, name in FROM_ABOVE.items():
        if name != "index.md":
            files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    for name, page in MADE.items():
        files.append(File.generated(config, name, content=page()))
    _refuse_twins(files)
    return files


def _refuse_twins(files: Files) -> None:
    """Two sources of one page: MkDocs writes one over the other and says nothing."""
    sources: dict[str, str] = {}
    for file in files:
        other = sources.setdefault(file.dest_uri, file.src_uri)
        if other != file.src_uri:
            raise PluginError(f"{other} and {file.src_uri} both become {file.dest_uri}")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turn links as they work in the repository into links of the site."""
    above = {name: source for source, name in FROM_ABOVE.items()}
    folder = (ROOT / above.get(page.file.src_uri, f"docs/{page.file.src_uri}")).parent

    def moved(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        if not target:
            return match[0]
        inside = (folder / target).resolve()
        name = str(inside.relative_to(ROOT)) if inside.is_relative_to(ROOT) else target
        return f"]({PLACES.get(name, name.removeprefix('docs/'))}{anchor})"

    return _LINK.sub(moved, markdown)
