"""JSON without importing json, which costs a step several milliseconds (re, enum, functools …).

Both functions use the compiled half of the standard library's json, and the library itself for
whatever that half does not take as expected, so that results and errors are always the library's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SPACE = " \t\n\r"


class _Settings:
    """What json.JSONDecoder() would tell the scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


def loads(text: str) -> Any:
    """json.loads(text)."""
    try:
        from _json import make_scanner  # type: ignore[import-not-found]

        start = 0 if text[:1] not in _SPACE else len(text) - len(text.lstrip(_SPACE))
        value, end = make_scanner(_Settings)(text, start)
        if end == len(text) or not text[end:].strip(_SPACE):
            return value
    except Exception:
        pass
    import json

    return json.loads(text)


def dumps(value: Any, default: Callable[[Any], Any]) -> str:
    """json.dumps(value, allow_nan=False, default=default) of a list or dict."""
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder(
            {}, default, encode_basestring_ascii, None, ": ", ", ", False, False, False
        )
        return "".join(encode(value, 0))
    except Exception:
        pass
    import json

    return json.dumps(value, allow_nan=False, default=default)
