"""Views: the drawing of `trace` and `arch` values, as text, as SVG, as a figure for print and as widgets.

Storey 3. Imports `trace`, `arch` and `errors` only: a picture never asks a machine or a capture anything.
One module per subject (`entry`, `walk`, `space`), each with `text`, `svg`, `html` and `figure`. Nothing
outside the standard library is imported until something is drawn that needs it.
"""
