#!/usr/bin/env python3
"""Django's command line. In a checkout, `./ecardctl manage …` runs it in the made environment."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ecard.settings")
    os.environ["ECARD_COMMAND"] = "1"  # a command may work longer than a page may
    execute_from_command_line(sys.argv)
