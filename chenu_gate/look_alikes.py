"""Letters and digits that pass for Latin ones.

The tables are ours and small on purpose: a view's digest must come out the same for as long
as its version is in use, and data that follows each Unicode release would move it. Scripts
are told by the names of their characters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_CYRILLIC = "аеорсухѕіјһԁԛԝѵӏгкьбАВЕНІЈКМОРСТУХЅҮԚԜӀѴЗ"
_GREEK = "αβγικνοπρστυχωηϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ"
_ARMENIAN = "օսոհցքզյՕՍՏԼ"
_TABLE = frozenset(_CYRILLIC + _GREEK + _ARMENIAN)

# Disguises wherever they stand: Latin's own doubles, and what passes for the signs of an address.
ALWAYS = frozenset("ɑɡɩıɪʏʀʟɴʜʙƖǀǃᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ∕⁄⧸꞉∶։‚")

# Scripts whose letters are mostly drawn like Latin capitals.
_BORROWED = frozenset(
    {"CHEROKEE", "COPTIC", "DESERET", "GOTHIC", "LISU", "LYCIAN", "LYDIAN", "OLD"}
)
# Written without spaces between words, so that Latin words stand right beside them.
_UNSPACED = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HALFWIDTH", "HANGUL", "BOPOMOFO"}
    | {"IDEOGRAPHIC", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
)
# Greek that science writes beside Latin, and that looks like nothing Latin.
_SCIENTIFIC = frozenset("ΓΔΘΛΞΠΣΦΨΩδεζθλμξπφψ")
# An address is one word, its full stops and all; a mark over a letter does not end one.
_WORD = re.compile("[\\w.@\u0300-\u036f]+")


def disguised(text: str) -> frozenset[int]:
    """Positions of the letters and digits that pass for Latin ones here.

    Those are: the foreign ones in a word that also has Latin letters (or, for digits, ASCII
    digits), and all of a script if the text has none of it but look-alikes.
    """
    foreign = {at: script for at, char in enumerate(text) if (script := _foreign_script(char))}
    if not foreign:
        return frozenset()
    genuine = {script for at, script in foreign.items() if not _resembles(text[at])}
    found = {at for at, script in foreign.items() if script not in genuine}
    for word in _WORD.finditer(text):
        found |= _mixed(text, [at for at in range(*word.span()) if at in foreign], word[0])
    return frozenset(found)


def _mixed(text: str, foreign: list[int], word: str) -> set[int]:
    latin = any(_is_latin(char) for char in word)
    ascii_digits = any(char.isascii() and char.isdigit() for char in word)
    return {
        at
        for at in foreign
        if (ascii_digits and text[at].isdecimal())
        or (latin and _foreign_script(text[at]) not in _UNSPACED and text[at] not in _SCIENTIFIC)
    }


def _resembles(char: str) -> bool:
    return (
        char.isdecimal()
        or unicodedata.normalize("NFKD", char)[0] in _TABLE
        or _foreign_script(char) in _BORROWED
    )


@lru_cache(maxsize=8192)
def _is_latin(char: str) -> bool:
    return char.isalpha() and unicodedata.name(char, "").startswith("LATIN ")


@lru_cache(maxsize=8192)
def _foreign_script(char: str) -> str:
    """The script of a letter or digit that is not Latin; empty for everything else."""
    category = unicodedata.category(char)
    if char.isascii() or category not in {"Lu", "Ll", "Lt", "Lo", "Nd"}:
        return ""
    script = unicodedata.name(char, "").partition(" ")[0]
    if script in {"LATIN", "MICRO", "FEMININE", "MASCULINE"}:
        return ""
    return "ARABIC" if script in {"ARABIC-INDIC", "EXTENDED"} else script
