"""HTML that needs nothing from elsewhere: no script, no font, no request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

POLICY = (
    "default-src 'none'; img-src data:; media-src data: file: 'self'; style-src 'unsafe-inline'"
)
STYLE = """
:root { color-scheme: light dark;
  --page: #ffffff; --card: #f5f6f7; --ink: #16191d; --soft: #59616a; --grid: #dfe2e6;
  --lane: #e4e7ea; --blue: #0072b2; --sky: #56b4e9; --orange: #e69f00; --red: #d55e00;
  --green: #009e73; --purple: #cc79a7; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171a; --card: #1d2125; --ink: #eceff2; --soft: #a3acb5; --grid: #343a41;
  --lane: #2b3036; --blue: #3f9fdb; --sky: #9ad4f7; --orange: #f0b429; --red: #f0763a;
  --green: #2cc295; --purple: #e39ac3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 988px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 15px; font-weight: 600; margin: 0; color: var(--soft); }
h2 { font-size: 19px; margin: 48px 0 12px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 0; }
.verdict { font-size: clamp(21px, 3.4vw, 30px); line-height: 1.3; font-weight: 650;
  margin: 14px 0 6px; padding-left: 18px; border-left: 6px solid var(--green);
  text-wrap: balance; }
.verdict.bad { border-color: var(--red); }
.about, figcaption, .note { color: var(--soft); font-size: 14px; }
.about { padding-left: 24px; overflow-wrap: anywhere; }
video, img { display: block; width: 100%; height: auto; border-radius: 8px;
  background: #000; }
.media { margin: 28px 0 12px; }
.strip { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; }
.pairs { display: grid; grid-template-columns: repeat(2, 1fr); gap: 18px 14px; }
.pairs figure { margin: 0; } .pairs figcaption { margin-top: 4px; }
.cards { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; }
.card { background: var(--card); border-radius: 8px; padding: 14px 16px; }
.halves { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 32px; }
figure { margin: 28px 0 0; }
.halves figure { margin: 0; }
.halves + figure, figure + .halves, .halves + .halves { margin-top: 28px; }
.pairs + h3, .note + h3 { margin-top: 20px; }
figcaption { margin-top: 8px; max-width: 75ch; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-family: inherit !important; }
.narrow { display: none; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { font-weight: 400; text-align: left; color: var(--soft); white-space: nowrap; }
th, td { padding: 3px 0; border-top: 1px solid var(--grid); vertical-align: top; }
tr:first-child > * { border-top: 0; }
td { text-align: right; font-variant-numeric: tabular-nums; padding-left: 14px;
  overflow-wrap: break-word; }
.scroll { overflow-x: auto; } .scroll td { white-space: nowrap; }
td.words { text-align: left; }
@media (max-width: 720px) {
  main { padding: 20px 14px 48px; }
  .halves, .cards { grid-template-columns: minmax(0, 1fr); }
  .strip { grid-template-columns: 1fr 1fr; gap: 8px; }
  .pairs { grid-template-columns: 1fr; }
  .narrow { display: block; } .wide { display: none; } }
@media print { figure, .card { break-inside: avoid; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Give a whole document; `parts` are HTML already."""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
            *parts,
            "</main>\n</body>\n</html>\n",
        ]
    )


def figure(content: str, caption: str, title: str = "") -> str:
    """Give a figure of HTML content with its caption."""
    heading = f"<h3>{escape(title)}</h3>\n" if title else ""
    return f"<figure>\n{heading}{content}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def svg(drawing: str, description: str, kind: str = "") -> str:
    """Name an <svg> element for those who do not see it; `kind` is its class."""
    label = f'<svg class="{kind}" role="img" aria-label="{escape(description)}" '
    return drawing.replace("<svg ", label, 1)


def card(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Give a small table of names and values with a title."""
    return f'<div class="card">\n<h3>{escape(title)}</h3>\n{table(rows)}\n</div>'


def table(rows: Iterable[Sequence[str]], heads: Sequence[str] = (), words: bool = False) -> str:
    """Give a table whose first column names its rows; `words`: the others are not numbers."""
    kind = ' class="words"' if words else ""
    lines = ["".join(f"<{tag}>{escape(head)}</{tag}>" for tag, head in _tags(heads))]
    for name, *cells in rows:
        values = "".join(f"<td{kind}>{escape(cell)}</td>" for cell in cells)
        lines.append(f"<th>{escape(name)}</th>{values}")
    body = "\n".join(f"<tr>{line}</tr>" for line in lines if line)
    return f"<table>\n{body}\n</table>"


def data_uri(kind: str, content: bytes) -> str:
    """Give content as an address that needs no file."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _tags(heads: Sequence[str]) -> list[tuple[str, str]]:
    return [("th" if column == 0 else "td", head) for column, head in enumerate(heads)]
