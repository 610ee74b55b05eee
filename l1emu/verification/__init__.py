"""The emulation against the project's own C++, layer by layer.

`compare`
    makes inputs up, runs C++, reference and emulator on them, and finds the first difference.
`csim`
    the oracle: builds a project's C++ with every variable written out, and runs it.
`golden`
    golden vectors: what the C++ gives for some inputs, to be compared where there is no C++.
`instrument`
    the C++ for that, around and inside the top function.
"""

from l1emu.verification.compare import Verification, verify

__all__ = ["Verification", "verify"]
