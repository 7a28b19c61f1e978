"""Tells rationales that compare a response with others, which a judge that sees two responses cannot follow (A.1).

GPT-4 rated four texts of UltraFeedback at once and called them "Text 1" to "Text 4". The paper does not say how it
found comparisons; this is by expressions, and rather takes a harmless sentence for a comparison than the reverse.
"""

import re

_TEXTS = r"(?:text|response|completion|output|answer)s?"
_COMPARISONS = re.compile(
    rf"""
      \b(?:text|response|completion|output)s?\s*\#?\s*[1-4]\b       # named by their numbers
    | \b(?:other|others'|another|previous|remaining|rest\ of\ the|first|second|third|fourth)\s+{_TEXTS}\b
    | \b(?:all|both|each|none|any|two|three|four)\s+(?:of\s+)?(?:the\s+|these\s+)?(?:text|response|completion|output)s\b
    | \bthan\s+(?:the\s+|any\s+|all\s+)?(?:others?|rest|{_TEXTS})\b
    | \b(?:compared|comparison)\s+(?:to|with)\b | \bin\s+comparison\b | \bthe\s+others\b
    | \bamong\s+(?:the|all|these)\b | \b(?:most|least|best|worst)\b[^.]*\b(?:of\s+all|of\s+the\s+(?:two|three|four))\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_comparative(rationale: str) -> bool:
    """Whether a rationale speaks of other responses than its own."""
    return _COMPARISONS.search(rationale) is not None
