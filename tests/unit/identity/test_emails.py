"""Which spellings are one address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.emails import email_key


@pytest.mark.parametrize(
    "spelling",
    [
        "ada@example.org",
        "ADA@Example.ORG",
        "  ada@example.org\n",
        "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ",
        "\u3000ada@example.org",
    ],
)
def test_case_width_and_space_make_no_other_address(spelling: str) -> None:
    assert email_key(spelling) == "ada@example.org"


def test_other_letters_make_another_address() -> None:
    assert email_key("äda@example.org") != email_key("ada@example.org")
    assert email_key("a.da@example.org") != email_key("ada@example.org")


@given(st.text())
def test_a_key_is_its_own_key_and_fits_a_table(text: str) -> None:
    assert email_key(email_key(text)) == email_key(text)
    assert "\0" not in email_key(text)
