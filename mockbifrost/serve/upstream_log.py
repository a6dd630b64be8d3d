"""What the client of upstreams tells its loggers, without secrets: whole addresses, and the headers of answers."""

from __future__ import annotations

import logging
import re
from typing import Final

from mockbifrost.cassette.redact import Redactor

_LOGGERS: Final = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.proxy")
_HEADERS: Final = re.compile(r"\[\(b.*\)\]", re.DOTALL)
"""A list of headers as it is logged: cookies have no shape that could be known."""


class _Discreet(logging.Filter):
    """Keeps every record, and changes those that hold a secret."""

    def __init__(self) -> None:
        super().__init__()
        self._redactor = Redactor()

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        text = record.getMessage()
        clean = self._redactor.redacted_text(_HEADERS.sub("[…]", text))
        if clean != text:
            record.msg, record.args = clean, ()
        return True


_FILTER: Final = _Discreet()


def keep_secrets_out_of_logs() -> None:
    """From now on these loggers tell no secrets, at any level. Twice is once."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
