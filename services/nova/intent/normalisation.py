"""Give back what a person would read: without hidden, disguised or decorated characters."""

import re
import unicodedata
from typing import Final

# Characters that take no room: format controls, fillers, variation selectors.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# Marks set over or through letters that no letter of a language has.
_STRUCK: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]")
_TAG: Final = re.compile("[\U000e0020-\U000e007e]+")
_RIGHT_TO_LEFT: Final = "\u202e"

_DISGUISES: Final = (
    # Cyrillic, Greek, Armenian and Cherokee letters, and small capitals, that pass for Latin ones.
    ("аɑαᴀАΑꭺ", "a"), ("ВΒвʙЬᏴ", "b"), ("сϲСϹᴄⅽᏟ", "c"), ("ԁɗᴅⅾᎠժ", "d"), ("еёЕΕεᴇҽєᎬ℮", "e"),
    ("ғꜰϝ", "f"), ("ɡցɢᏀԍ", "g"), ("һНΗнʜհᎻ", "h"), ("іІΙıιɪӏᎥ", "i"), ("јЈϳᴊᎫ", "j"),
    ("кКΚκᴋᏦ", "k"), ("ⅼʟⳑᏞłӀǀ", "l"), ("мМΜᴍⅿᎷ", "m"), ("ոΝɴпηռ", "n"), ("оОΟοᴏσօөѳ", "o"),
    ("рРΡρᴘᏢ", "p"), ("ԛǫգ", "q"), ("гʀɾᎡ", "r"), ("ѕЅꜱᏚ", "s"), ("тТΤτᴛᎢ", "t"),
    ("υᴜսʋ", "u"), ("νѵᴠⅴᏙ", "v"), ("ԝᴡωᎳ", "w"), ("хХΧχⅹ", "x"), ("уУΥγүʏỿ", "y"),
    ("ᴢΖᏃʐ", "z"),
    ("’‘‛ʼʹ′´`ˈ＇", "'"), ("«»“”„‟″〝〞", '"'), ("\u2010\u2011", "-"),
)  # fmt: skip


def _disguises() -> dict[int, str]:
    table = {ord(char): plain for chars, plain in _DISGUISES for char in chars if ord(char) > 127}
    for first in (0x1F1E6, 0x1F150, 0x1F170):  # regional indicators and letters in black circles
        table |= {first + index: chr(ord("a") + index) for index in range(26)}
    return table


_PLAIN: Final = _disguises()


def readable(text: str, at_most: int = 16_000) -> str:
    """The text with disguises taken off; what was hidden in it follows on lines of its own.

    One character can stand for eighteen: each part is cut one character behind `at_most`.
    """
    if text.isascii():
        return text
    hidden = ["".join(chr(ord(c) - 0xE0000) for c in run) for run in _TAG.findall(text)]
    if _RIGHT_TO_LEFT in text:
        hidden.append(text[::-1])
    shown = [_INVISIBLE.sub("", part) for part in (text, *hidden)]
    composed = (unicodedata.normalize("NFKC", part)[: at_most + 1] for part in shown)
    return "\n".join(_STRUCK.sub("", part).translate(_PLAIN) for part in composed)


def without_accents(word: str) -> str:
    """The word as it is looked up."""
    if word.isascii():
        return word
    bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return bare.translate(_PLAIN).replace("œ", "oe").replace("æ", "ae")
