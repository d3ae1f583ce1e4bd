"""The API's description as a page: its routes and their parameters, without a script."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def page_of(openapi: Mapping[str, Any]) -> str:
    """Return a description in OpenAPI's form as a page."""
    info = openapi["info"]
    return "\n".join([
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>API · {escape(info['title'])}</title></head><body><main>",
        f"<h1>API of {escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        '<p>The same for programs: <a href="/openapi.json">/openapi.json</a>.</p>',
        *_routes(openapi["paths"]),
        "</main></body></html>",
    ])  # fmt: skip


def _routes(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, about in methods.items():
            yield f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2><p>{escape(about['summary'])}</p><ul>"
            for one in about.get("parameters", ()):
                default = one["schema"].get("default", "")
                parts = [
                    one["schema"].get("type", ""), "needed" if one["required"] else "",
                    f"default {default}" if default != "" else "", one.get("description", ""),
                ]  # fmt: skip
                said = ", ".join(part for part in parts if part)
                yield f"<li><code>{escape(one['name'])}</code>: {escape(said)}</li>"
            yield "</ul>"
