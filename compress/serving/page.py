"""The page at `/` and the documentation at `/docs`: whole, without any other file, font or host.

The page is `templates/index.html`, made safe by a content security policy that allows its own style and script alone;
what it shows comes from the server's own JSON and is put in as text. The documentation is written from the OpenAPI
description.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from starlette.responses import HTMLResponse

TEMPLATES = files("compress.serving") / "templates"
METHODS = ("get", "post")
USUAL = ("127.0.0.1", 8080)

Address = tuple[str, int]


def start_page(title: str, kind: str) -> HTMLResponse:
    """Type a text, compare adapters."""
    return _page("index.html", {"title": html.escape(title), "kind": html.escape(kind)})


def documentation(title: str, openapi: Mapping[str, Any], *, address: Address | None = None) -> HTMLResponse:
    """Every path, what it takes and what it gives, with a line for `curl`.

    Args:
        title: what is served.
        openapi: the description.
        address: host and port that the page was asked at.
    """
    host, port = address or USUAL
    server = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    parts = "\n".join(_operations(openapi, server))
    return _page("docs.html", {"title": html.escape(title), "operations": parts})


def _page(name: str, words: Mapping[str, str]) -> HTMLResponse:
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    content = (TEMPLATES / name).read_text(encoding="utf-8").replace("{{ style }}", style)
    policy = _policy(content)
    content = re.sub(r"\{\{ (\w+) \}\}", lambda found: words[found[1]], content)
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return HTMLResponse(content, headers=headers)


def _policy(content: str) -> str:
    """Only this page's own style and script, and requests to this server."""
    sources = {tag: " ".join(_hashes(content, tag)) or "'none'" for tag in ("style", "script")}
    return (
        f"default-src 'none'; style-src {sources['style']}; script-src {sources['script']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(content: str, tag: str) -> list[str]:
    inner = re.findall(rf"<{tag}>(.*?)</{tag}>", content, flags=re.DOTALL)
    digests = [hashlib.sha256(each.encode()).digest() for each in inner]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _operations(openapi: Mapping[str, Any], server: str) -> Iterator[str]:
    for path, operations in openapi["paths"].items():
        for method in METHODS:
            if method in operations:
                yield _operation(operations[method], method=method, path=path, server=server)


def _operation(operation: Mapping[str, Any], *, method: str, path: str, server: str) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    statuses = "".join(
        f"<li><b>{status}</b> {html.escape(one['description'])}</li>"
        for status, one in sorted(operation["responses"].items())
    )
    return (
        f'<section class="card"><h2><span class="method">{method.upper()}</span> <code>{html.escape(path)}</code></h2>'
        f"<p>{html.escape(operation['summary'])}</p>{_fields(content)}"
        f'<h3>Try it</h3><pre tabindex="0"><code>{html.escape(_curl(server + path, content))}</code></pre>'
        f'<h3>Answers</h3><ul class="statuses">{statuses}</ul></section>'
    )


def _fields(content: Mapping[str, Any]) -> str:
    described = "".join(
        f"<dt><code>{html.escape(name)}</code></dt><dd>{html.escape(field.get('description', ''))}</dd>"
        for name, field in content.get("schema", {}).get("properties", {}).items()
    )
    return f'<h3>Takes</h3><dl class="fields">{described}</dl>' if described else ""


def _curl(where: str, content: Mapping[str, Any]) -> str:
    if not content:
        return f"curl {where}"
    body = json.dumps(content["example"], ensure_ascii=False)
    return f"curl {where} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
