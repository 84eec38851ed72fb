from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chenu_gate.visible_text import Flag, original, visible

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Me"}

# Texts of the characters that deserve suspicion, in words with ordinary ones.
suspicious = st.text(
    st.sampled_from(
        "ab1 .@/⟦⟧U+0430⟧\n\u200b\u202eа́е\u0301\u0335ﬀｐ①৪٣ߋ👩\u200d\ufe0f\ue000é漢سי\u2028"
    )
)


@given(st.text(st.characters()) | suspicious)
@example("\ud800")
@example("⟦U+202E⟧")
@example("⟦U+202E")
def test_every_text_can_be_read_back(text: str) -> None:
    assert original(visible(text).text) == text


@given(st.text() | suspicious)
def test_nothing_invisible_is_left_in_a_visible_text(text: str) -> None:
    shown = visible(text).text

    assert not any(unicodedata.category(char) in HIDDEN_CATEGORIES for char in shown)
    assert not set(shown) & set(BIDIRECTIONAL)
    assert not any(unicodedata.category(char) == "Zs" and char != " " for char in shown)


@given(st.text(min_size=1) | suspicious.filter(bool), st.text() | suspicious)
def test_two_texts_never_look_the_same(text: str, other: str) -> None:
    if text != other:
        assert visible(text).text != visible(other).text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_ascii_stays_as_it_is(text: str) -> None:
    assert visible(text).text == text
    assert visible(text).flagged == {}


@pytest.mark.parametrize(
    "text",
    [
        "L'été « à Noël », c’est-à-dire… 12 ½ € — naïve œuvre, Straße, Ærø, piñata",
        "Привет, мир! Это решение принято вчера в 10:30, e-mail-адрес и IT-компания.",
        "Η απόφαση ελήφθη χθες στις δέκα.",
        "时间：十点，地点：会议室（二）！ 東京タワー Tシャツ ソウル 서울 PC방",
        "ขอบคุณ हिन्दी ৪২ টাকা বাংলা",
        "10 µs, 3 m², ΔT, 2πr, 20 °C, 1ª y 2º, 50 ‰, 5 € × 2, ①",
        "cafe\u0301 Vie\u0323\u0302t",
        "🎉 ok 👍",
    ],
)
def test_ordinary_texts_of_many_languages_stay_as_they_are(text: str) -> None:
    assert visible(text).text == text
    assert visible(text).flagged == {}


@pytest.mark.parametrize("char", [*BIDIRECTIONAL])
def test_characters_that_turn_the_text_are_spelled_out_and_flagged(char: str) -> None:
    shown = visible(f"pay {char}001")

    assert shown.text == f"pay ⟦U+{ord(char):04X}⟧001"
    assert shown.flagged == {Flag.BIDIRECTIONAL: [char]}


@pytest.mark.parametrize(
    "char",
    [
        *"\u00ad\u034f\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u2028\u2029\u2060\u2063",
        *"\u2000\u2003\u205f\u3000\u1680\u2800\u3164\ufe0f\ufeff\uffa0\ufff9",
        *"\U000e0001\U000e0041\U000e0100\U0001d173\U0001d159",
    ],
)
def test_invisible_characters_are_spelled_out_and_flagged(char: str) -> None:
    shown = visible(f"a{char}b")

    assert shown.text == f"a⟦U+{ord(char):04X}⟧b"
    assert shown.flagged == {Flag.INVISIBLE: [char]}


@pytest.mark.parametrize("char", [*"\x00\x07\x08\r\x1b\x7f\x85\x9b"])
def test_control_characters_are_spelled_out_and_flagged(char: str) -> None:
    assert visible(f"a{char}").text == f"a⟦U+{ord(char):04X}⟧"
    assert visible(f"a{char}").flagged == {Flag.CONTROL: [char]}


@pytest.mark.parametrize("char", ["\ud800", "\ue000", "\U0010ffff", "\u0378"])
def test_characters_without_an_agreed_appearance_are_spelled_out(char: str) -> None:
    assert visible(char).text == f"⟦U+{ord(char):04X}⟧"
    assert visible(char).flagged == {Flag.UNKNOWN: [char]}


def test_line_breaks_are_spelled_out_without_a_warning() -> None:
    shown = visible("une ligne\n\tl'autre\u00a0! ⟦")

    assert shown.text == "une ligne⟦U+000A⟧⟦U+0009⟧l'autre⟦U+00A0⟧! ⟦U+27E6⟧"
    assert shown.flagged == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p\u0430ypal", "p⟦U+0430⟧ypal"),  # a Cyrillic letter among Latin ones
        ("\u0440\u0430\u0443", "⟦U+0440⟧⟦U+0430⟧⟦U+0443⟧"),  # Cyrillic that reads as Latin
        ("Привет, \u0440\u0430.com", "Привет, ⟦U+0440⟧⟦U+0430⟧.com"),  # in an address
        ("a\u0301\u0430b", "a\u0301⟦U+0430⟧b"),  # a mark does not part the word
        ("adm\u0456n@bank", "adm⟦U+0456⟧n@bank"),
        ("\u03bfk", "⟦U+03BF⟧k"),  # a Greek omicron
        ("\u0391\u0392\u0395", "⟦U+0391⟧⟦U+0392⟧⟦U+0395⟧"),
        ("C\u043eca", "C⟦U+043E⟧ca"),
        ("\u13a0\u13a2", "⟦U+13A0⟧⟦U+13A2⟧"),  # Cherokee
        ("\uff50\uff41", "⟦U+FF50⟧⟦U+FF41⟧"),  # full width
        ("会議 bank\uff0fevil", "会議 bank⟦U+FF0F⟧evil"),
        ("\U0001d429ay", "⟦U+1D429⟧ay"),  # mathematical bold
        ("\u212aelvin", "⟦U+212A⟧elvin"),
        ("bank.com\u2215evil", "bank.com⟦U+2215⟧evil"),  # a slash that is none
        ("https\ua789//x", "https⟦U+A789⟧//x"),
        ("n\u0131l", "n⟦U+0131⟧l"),
        ("\u0251dmin", "⟦U+0251⟧dmin"),
        ("\u09ea00", "⟦U+09EA⟧00"),  # Bengali four, drawn like an eight
        ("\u0663", "⟦U+0663⟧"),
        ("سعر 1\u06630", "سعر 1⟦U+0663⟧0"),
    ],
)
def test_look_alikes_are_spelled_out_and_flagged(text: str, shown: str) -> None:
    assert visible(text).text == shown
    assert Flag.LOOK_ALIKE in visible(text).flagged


def test_marks_are_kept_where_languages_put_them_and_no_further() -> None:
    stacked = visible("e\u0301\u0302\u0303\u0304\u0305")
    assert stacked.text == "e\u0301\u0302\u0303⟦U+0304⟧⟦U+0305⟧"
    assert stacked.flagged == {Flag.STACKED_MARKS: ["\u0304", "\u0305"]}

    # Nothing of its own to stand on: it would be drawn over what comes before the text.
    for text in ("\u0301", " \u0301", "/\u0301", "\u200b\u0301"):
        assert visible(text).text.endswith("⟦U+0301⟧")
    # Struck through, or in a circle.
    assert visible("1\u0335 2\u20dd").text == "1⟦U+0335⟧ 2⟦U+20DD⟧"


def test_letters_from_right_to_left_stay_and_are_flagged() -> None:
    shown = visible("שלום")

    assert shown.text == "שלום"
    assert shown.flagged == {Flag.RIGHT_TO_LEFT: [*"שלום"]}
