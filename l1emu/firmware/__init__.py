"""What was synthesized: an immutable graph of layers, read from an hls4ml project or a saved file.

From a project, each on top of those above:

`backend`
    which of hls4ml's backends it was written for.
`cxx`, `preprocess`, `grammar`
    the part of C++ that hls4ml writes: tokens, declarations, expressions; includes, conditions and macros; what no
    compiler takes.
`project`
    the sources of a project: constants, types, config structs.
`roles`, `top`
    what C++ functions do with their arguments; one walk of the top function, for all who read it.
`kernels`, `known`
    whether the kernels in the project's headers compute what is described here.
`weights`, `loading`
    numbers in headers and in the files that a C simulation loads.
`builders`, `tables`
    one builder for each C++ function, from a call and its config to layers; the look-up tables of the kernels.
`foreign`
    calls that are not known, as the project's own C++.
`reader`
    the graph of a project.

From both:

`graph`
    the graph: data alone.
`encoding`, `store`
    the graph as bytes, and its hash; a file of it.
`reference`
    the graph run in plain integer numpy.
`firmware`
    `Firmware`, a graph that can be read and saved.
"""

from l1emu.firmware.firmware import Firmware

__all__ = ["Firmware"]
