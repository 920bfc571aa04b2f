"""Slides from a notebook, without a network: `jupyter nbconvert --config jupyter/slides.py notebooks/NAME.ipynb`.

nbconvert's own slides fetch four programs from the internet while they are shown. These are one file that needs none.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent

c.NbConvertApp.export_format = "slides"
c.TemplateExporter.extra_template_basedirs = [str(HERE / "nbconvert")]
c.TemplateExporter.template_name = "ptwalk-slides"
c.HTMLExporter.embed_images = True  # a picture of docs/images goes along
c.FilesWriter.build_directory = str(HERE.parent / "slides")
