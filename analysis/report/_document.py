"""From values to one file of HTML: the template, what is put into it, and what the page may do.

The guarantee: the page asks for nothing. A content security policy forbids every load and every script but
the two that are in it, named by their hashes, and all text goes through the template's escaping.
"""

import base64
import json
import zlib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tokentape.analysis.report import _slowest, _terms
from tokentape.analysis.report._numbers import PLACES
from tokentape.analysis.report._text import number, shown

_FILES = files("tokentape.analysis.report")


def document(data: dict[str, Any], **sections: Any) -> str:
    """Return the page. `data` is what its script draws and filters from; `sections` are the template's."""
    script = _text("page.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)} {_plotly()[1]}",
            "style-src 'unsafe-inline'",  # plots carry their styles in attributes
            "img-src data: blob:",  # a plot is saved as a picture through these
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        _environment()
        .from_string(_text("page.html.jinja"))
        .render(
            policy=Markup(policy),  # noqa: S704  (made here, of hashes)
            style=Markup(_text("page.css")),  # noqa: S704  (ours)
            script=Markup(script),  # noqa: S704  (ours)
            plotly=Markup(_plotly()[0]),  # noqa: S704  (base64)
            data=Markup(packed(json.dumps(data, separators=(",", ":")))),  # noqa: S704  (base64)
            **sections,
        )
    )


def packed(text: str) -> str:
    """Return text as base64 of its zlib stream: a fifth of plots' JSON, and no letter that means anything."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


@cache
def _plotly() -> tuple[str, str]:
    """Return plotly.js packed (4.8 MB become 2) and the hash of what it unpacks to."""
    script = get_plotlyjs()
    return packed(script), _hash(script)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _safe(value: object) -> object:
    return value if isinstance(value, Markup) else shown(value) if isinstance(value, str) else value


@cache
def _environment() -> Environment:
    made = Environment(
        autoescape=True, finalize=_safe, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {"terms": _terms, "slow": _slowest, "places": PLACES, "number": number}
    return made
