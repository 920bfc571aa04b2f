"""`python -m authoring`: build the notebooks of the course."""

import sys

from authoring.build import main

sys.exit(main())
