"""Pages of results in Markdown: templates that lie beside the code that fills them."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def markdown_templates(folder: Path) -> Environment:
    """The templates of a folder; a name that is not given is an error."""
    return Environment(  # noqa: S701  # Markdown, of our own figures
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
