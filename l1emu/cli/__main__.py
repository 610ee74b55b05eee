"""`python -m l1emu.cli`: the command line of this interpreter, whatever is in the PATH."""

from l1emu.cli import main

main()
