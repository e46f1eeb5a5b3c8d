"""`python -m tallyman`: the command line."""

from tallyman.cli import main

main()
