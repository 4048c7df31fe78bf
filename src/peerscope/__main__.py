"""``python -m peerscope`` is ``peerscope``."""

from peerscope.cli import main

main()
