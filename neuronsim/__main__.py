"""``python -m neuronsim``: the command line."""

from neuronsim.cli import main

main()
