"""Texts that would do something if anything took them for more than texts."""

from pathlib import Path
from tempfile import gettempdir

CANARY = Path(gettempdir()) / "chenu-canary-of-the-tests"
_TOUCH = f"touch {CANARY}"

SQL = (
    "'; DROP TABLE threads.threads CASCADE; --",
    "' OR '1'='1",
    '" OR 1=1 --',
    "1); DELETE FROM governance.votes; --",
    "%' UNION SELECT password_hash FROM identity.credentials --",
    "$$; SELECT pg_sleep(30); $$",
    f"\\'; COPY (SELECT 1) TO PROGRAM '{_TOUCH}'; --",
    "$1, $2; :name %(name)s %s {name}",
)
COMMANDS = (f"$({_TOUCH})", f"`{_TOUCH}`", f"; {_TOUCH}", f"| {_TOUCH}", f"&& {_TOUCH} #")
HEADERS = (
    "\r\nSet-Cookie: stolen=1",
    "x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n<script>alert(1)</script>",
    "%0d%0aSet-Cookie:%20stolen=1",
    "\nBcc: everybody@example.org",
)
SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "'-alert(1)-'",
    "</title><svg/onload=alert(1)>",
)
TEMPLATES = ("{{7*7}}", "${jndi:ldap://127.0.0.1/x}", "{0.__class__}", "%n%n%n%s")
PATHS = ("../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..\\..\\x")
INVISIBLE = ("pay \u202e001 ruoY", "a\u200bdmin", "\x1b[2J\x1b[31mred", "\ufeff\u2066x")

TEXTS = SQL + COMMANDS + HEADERS + SCRIPTS + TEMPLATES + PATHS + INVISIBLE
