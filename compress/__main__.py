"""`python -m compress`, for launchers that start modules."""

from compress.cli import main

main()
