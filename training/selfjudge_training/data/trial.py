"""Sources for a dry run: small, and none that has to be fetched."""

import json
from collections.abc import Sequence
from pathlib import Path

from selfjudge_training.data.source import Format, Part, Source

ROWS = 32
"""Read or generated per source."""

PRINCIPLES = ("instruction_following", "honesty", "truthfulness", "helpfulness")
"""As UltraFeedback names them."""


def few(sources: Sequence[Source], folder: Path) -> tuple[Source, ...]:
    """The heads of local sources; for those on the hub, generated rows of their formats, written to ``folder``."""
    return tuple(_few(source, folder) for source in sources)


def _few(source: Source, folder: Path) -> Source:
    if source.path is not None:
        # Of so few rows, a part may be none.
        return source.model_copy(update={"limit": min(source.limit or ROWS, ROWS), "part": Part.ALL})
    path = folder / f"{source.format}.jsonl"
    path.write_text("".join(json.dumps(_row(source.format, number)) + "\n" for number in range(ROWS)), encoding="utf-8")
    return Source(format=source.format, path=path)


def _row(form: Format, number: int) -> dict[str, object]:
    prompt, chosen, rejected = f"Add {number} and 4.", str(number + 4), str(number)
    if form == "preferences":
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    if form == "hh":
        before = f"\n\nHuman: {prompt}\n\nAssistant: "
        return {"chosen": before + chosen, "rejected": before + rejected}
    return {
        "instruction": prompt,
        "completions": [
            {
                "response": response,
                "annotations": {
                    principle: {"Rating": rating, "Rationale": f"It is {verdict}."} for principle in PRINCIPLES
                },
            }
            for response, rating, verdict in ((chosen, "5", "right"), (rejected, "1", "wrong"))
        ],
    }
