"""Codes that confirm a channel: how many are sent, and how often one may be guessed at."""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest
from secrets import token_hex
from typing import Final

from kernel.caller import Caller
from kernel.database import Record, Transaction
from kernel.statement import Statement
from services.courier import audit_events, channels
from services.courier.channels import Address
from services.courier.errors import ConfirmationInvalid, ConfirmationUsedUp, TooManyCodes
from services.courier.vault import Vault

MOST_TO_AN_ADDRESS: Final = 5
MOST_BY_A_PERSON: Final = 20
"""In an hour, whoever sends them there, and wherever they are sent."""
MOST_WRONG: Final = 5
_TAKE: Final = Statement("SELECT courier.take_code(:counted, :most) AS wait")
_LOCK: Final = Statement("SELECT * FROM courier.channels WHERE channel_id = :channel_id FOR UPDATE")
_CONFIRM: Final = Statement(
    "UPDATE courier.channels SET confirm_time = clock_timestamp(), version = version + 1"
    " WHERE channel_id = :channel_id RETURNING *"
)
_WRONG: Final = Statement(
    "UPDATE courier.channels SET wrong_codes = wrong_codes + 1, version = version + 1"
    " WHERE channel_id = :channel_id RETURNING *"
)
_RENEW: Final = Statement(
    "UPDATE courier.channels SET sealed = :sealed, wrong_codes = 0, version = version + 1"
    " WHERE channel_id = :channel_id RETURNING *"
)


def new_code() -> str:
    """Forty random bits, short enough to be typed."""
    return token_hex(5)


async def count(tx: Transaction, vault: Vault, caller: Caller, there: Address) -> None:
    """Note that a code is sent there; TooManyCodes where enough were within the hour."""
    for what, most in (
        (f"address/{there.address.casefold()}/{there.user}", MOST_TO_AN_ADDRESS),
        (f"person/{caller.tenant}/{caller.person}", MOST_BY_A_PERSON),
    ):
        (row,) = await tx.fetch(_TAKE, counted=vault.fingerprint(what), most=most)
        if row["wait"] is not None:
            raise TooManyCodes(retry_after=row["wait"])


async def send_again(tx: Transaction, vault: Vault, caller: Caller, channel_id: str) -> None:
    """Count the code as sent; another one where too many have been tried for it."""
    channel = await _locked(tx, channel_id)
    there = channels.address(vault, channel)
    await count(tx, vault, caller, there)
    if channel["wrong_codes"] >= MOST_WRONG:
        sealed = replace(there, code=new_code()).sealed(vault, channel_id)
        (row,) = await tx.fetch(_RENEW, channel_id=channel_id, sealed=sealed)
        tx.emit(audit_events.channel_changed("code_renewed", audit_events.UPDATE, row))


async def confirm(tx: Transaction, vault: Vault, channel_id: str, code: str) -> Record:
    """Note that the code came back, or that a wrong one did: then it is still unconfirmed.

    Again, it changes nothing.
    """
    channel = await _locked(tx, channel_id)
    wanted = channels.address(vault, channel).code
    right = bool(wanted) and compare_digest(code.strip().lower().encode(), wanted.encode())
    if channels.confirmed(channel):
        if not right:
            raise ConfirmationInvalid
        return channel
    if channel["wrong_codes"] >= MOST_WRONG:
        raise ConfirmationUsedUp
    (row,) = await tx.fetch(_CONFIRM if right else _WRONG, channel_id=channel_id)
    happened = "confirmed" if right else "code_refused"
    tx.emit(audit_events.channel_changed(happened, audit_events.UPDATE, row))
    return row


async def _locked(tx: Transaction, channel_id: str) -> Record:
    """The channel, so that guesses come one after the other; Forbidden as `channels.get`."""
    return await tx.fetch_one(_LOCK, channel_id=channel_id) or await channels.get(tx, channel_id)
