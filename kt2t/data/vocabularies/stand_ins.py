"""Characters that sentencepiece would lose or treat as its own, and what `Subwords` writes in place of each.

sentencepiece writes a space as U+2581, drops training lines with U+0000 or U+2047, and never makes a tab or newline part of a
piece. The first two stand-ins turn tab and newline into ordinary characters. The characters that serve as stand-ins are
themselves written as two characters.
"""

from __future__ import annotations

STAND_INS = {
    "\n": "\x0e",
    "\t": "\x0f",
    "\x0e": "\x1an",
    "\x0f": "\x1at",
    "\x1a": "\x1as",
    "\x00": "\x1a0",
    "\u2581": "\x1au",
    "\u2047": "\x1aq",
}
