"""E-mail addresses: what makes two of them the same."""

import unicodedata


def email_key(email: str) -> str:
    """The form under which an address is unique, looked up and counted.

    Case, width of characters and space around it do not make another address,
    so they give nobody further attempts at a password either.
    """
    folded = unicodedata.normalize("NFKC", email).casefold()
    # PostgreSQL's text holds no NUL; no registered address has one, so it may become anything.
    return unicodedata.normalize("NFKC", folded).strip().replace("\0", "\ufffd")
