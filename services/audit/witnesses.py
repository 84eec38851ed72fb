"""Hands each new tree head to the witnesses and keeps what they sign (C2SP tlog-witness).

A witness that refuses has seen another log than this one, or more of it: an alert says so.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

import aiohttp
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert

from kernel.database import Database, Transaction
from kernel.receipts import ReceiptInvalid, VerifierKey, cosigners
from kernel.statement import Statement
from services.audit import alerts, audit_events, log
from services.audit.errors import LeafNotCovered
from services.audit.tables import cosignatures, tree_heads

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_LONGEST: Final = 16 << 10
_SIZE_TYPE: Final = "text/x.tlog.size"
_SIZE: Final = re.compile(r"\s*([0-9]{1,18})\s*")
_SECRET: Final = re.compile(r"(?<=//)[^/@]*@")
_KEEP: Final = Statement(
    insert(cosignatures)
    .values(size=sa.bindparam("size"), witness=sa.bindparam("witness"), line=sa.bindparam("line"))
    .on_conflict_do_nothing()
)
_NEWEST: Final = Statement(
    sa.select(tree_heads.c.size, tree_heads.c.note, cosignatures.c.line)
    .join(cosignatures, cosignatures.c.size == tree_heads.c.size)
    .where(cosignatures.c.size == sa.select(sa.func.max(cosignatures.c.size)).scalar_subquery())
    .order_by(cosignatures.c.create_time)
)
_LEFT_BEHIND: Final = Statement("""
    SELECT kind, source, subject FROM audit.alerts
    WHERE close_time IS NULL AND kind LIKE 'WITNESS_%' AND source <> ALL (:asked)""")
_THIN: Final = Statement("SELECT audit.thin_cosignatures() AS gone")
_log = structlog.get_logger(component="witnesses")


class Refused(Exception):
    """A witness that answered does not vouch for this log."""


async def witnessed_head(tx: Transaction) -> tuple[int, str]:
    """The newest head that a witness has cosigned, and its size; (0, "") where none has."""
    rows = await tx.fetch(_NEWEST)
    if not rows:
        return 0, ""
    return rows[0]["size"], rows[0]["note"] + "".join(row["line"] for row in rows)


async def thin_cosignatures(tx: Transaction) -> int:
    """Keep the last of each hour of what is older than a day, of each witness; how many went."""
    row = await tx.fetch_one(_THIN)
    gone = int(row["gone"]) if row else 0
    if gone:
        tx.keep(audit_events.log_thinned("cosignatures", gone))
    return gone


async def close_left_behind(worker: Database, urls: Sequence[str]) -> None:
    """Close what is told of witnesses that are asked no more: nothing else would."""
    async with worker.work() as tx:
        for left in await tx.fetch(_LEFT_BEHIND, asked=[_shown(url) for url in urls]):
            await alerts.close_alert(tx, left["kind"], left["source"], left["subject"])


class Witnesses:
    """The witnesses of this log: their addresses, and the keys that they are known by."""

    def __init__(self, worker: Database, urls: Sequence[str], keys: Sequence[VerifierKey]) -> None:
        self._worker, self._keys = worker, keys
        self._urls = dict.fromkeys(urls, 0)
        """What each is believed to have seen last; it corrects us where that is wrong."""

    async def ask(self) -> None:
        """Hand the newest head to each; who cannot be reached is asked the next time."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            for url in self._urls:
                await self._ask(session, url)

    async def _ask(self, session: aiohttp.ClientSession, url: str) -> None:
        try:
            cosigned = await self._cosign(session, url)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("a witness is not there", url=_shown(url), problem=str(error))
            async with self._worker.work() as tx:
                await alerts.raise_alert(tx, alerts.WITNESS_SILENT, _shown(url), "tree-head")
        except (Refused, ReceiptInvalid) as refusal:
            async with self._worker.work() as tx:
                answer = str(refusal)[:300]
                await alerts.raise_alert(
                    tx, alerts.WITNESS_REFUSED, _shown(url), "tree-head", answer=answer
                )
        except LeafNotCovered:
            return  # nothing to be seen yet
        else:
            if cosigned:
                async with self._worker.work() as tx:
                    for kind in (alerts.WITNESS_SILENT, alerts.WITNESS_REFUSED):
                        await alerts.close_alert(tx, kind, _shown(url), "tree-head")

    async def _cosign(self, session: aiohttp.ClientSession, url: str) -> bool:
        """Whether it has signed a head that it had not yet."""
        status, body = 0, ""
        for _ in range(2):
            async with self._worker.work() as tx:
                size, _, note = await log.latest_head(tx)
                seen = self._urls[url]
                if seen == size:
                    return False
                if seen > size:
                    self._urls[url] = 0  # the next time it is asked what it has seen then
                    raise Refused(f"it has seen {seen} records, and there are {size}")
                proof = await log.prove_consistency(tx, seen, size)
            lines = "".join(f"{b64encode(one).decode()}\n" for one in proof)
            request = f"old {seen}\n{lines}\n{note}"
            status, media_type, body = await _post(session, url, request)
            if status == 200:
                await self._keep(size, note, body)
                self._urls[url] = size
                return True
            told = _SIZE.fullmatch(body)
            if status != 409 or media_type != _SIZE_TYPE or told is None:
                break
            if int(told[1]) == seen:
                break  # the size agrees, the root does not
            self._urls[url] = int(told[1])
        raise Refused(f"{status}: {body.strip()}")

    async def _keep(self, size: int, note: str, lines: str) -> None:
        if not cosigners(note + lines, self._keys):
            raise Refused("it signs with another key than the one that it is known by")
        async with self._worker.work() as tx:
            for line in lines.splitlines(keepends=True):
                for key in cosigners(note + line, self._keys):
                    await tx.execute(_KEEP, size=size, witness=str(key), line=line)


def _shown(url: str) -> str:
    """The address without the password that may stand in it: whoever is logged in sees alerts."""
    return _SECRET.sub("", url)


async def _post(session: aiohttp.ClientSession, url: str, request: str) -> tuple[int, str, str]:
    address = f"{url.rstrip('/')}/add-checkpoint"
    async with session.post(address, data=request.encode(), allow_redirects=False) as answer:
        body = b""
        while len(body) < _LONGEST and (part := await answer.content.read(_LONGEST)):
            body += part
        return answer.status, answer.content_type, body.decode(errors="replace")
