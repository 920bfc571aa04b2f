"""The frame of a plain page: one HTML file without scripts, in the course's colours, that also prints well.

Knows `tokens`; nothing of what stands on the page.
"""

from __future__ import annotations

from html import escape

from ptwalk.views.tokens import css

_STYLE = (
    css("body")
    + """
html{color-scheme:light dark}
body{margin:0;background:var(--pt-bg);color:var(--pt-ink);font:16px/1.5 var(--pt-sans)}
main{max-width:72rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2rem 0 .5rem}
p{max-width:46rem}small,.quiet{color:var(--pt-ink2)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.95rem}
caption{text-align:left;padding:.3rem 0;color:var(--pt-ink2)}
th,td{border:1px solid var(--pt-line);padding:.25rem .5rem;text-align:left;vertical-align:top}
th{background:var(--pt-panel);font-weight:600}
summary{cursor:pointer;padding:.2rem 0}
a{color:var(--pt-path)}
:focus-visible{outline:2px solid var(--pt-path);outline-offset:2px}
@media print{main{max-width:none;padding:0}details{display:block}h2{break-after:avoid}}
"""
)


def report_page(title: str, body: str) -> str:
    """The HTML of a page with this title and this body, which is HTML already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def table(caption: str, heads: list[str], rows: list[list[str]]) -> str:
    """An HTML table of plain words; the first cell of a row is its head."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    lines = []
    for row in rows:
        cells = "".join(f"<td>{escape(each)}</td>" for each in row[1:])
        lines.append(f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    inside = "\n".join(lines)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{inside}\n</tbody></table></div>"
    )
