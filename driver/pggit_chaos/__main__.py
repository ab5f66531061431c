"""``python -m pggit_chaos`` is the command line."""

from pggit_chaos.cli import main

main()
