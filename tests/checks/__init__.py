"""Tests of the exercises, the judge and the class; `papers` makes what is judged."""
