"""The exact kernels' machine: 64-bit integers, many jets side by side, a firmware as data.

``instruction``  operands declared once, by name; their places in the code
``casts``        a cast as five integers
``rows``         what every kernel does to rows: round, bring into range, cast, look up
``matrix``       the product with a matrix, which several kinds have
``gather``       numbers picked by their places, which several kinds have
``assembler``    instructions, tables and rows, collected while layers are lowered

The workspace is a flat int64 array of rows; a row holds one feature of `lanes` jets, so every inner loop runs over
jets and vectorises whatever the layer's shape. A firmware is data: `code`, a flat int64 array of instructions, and
`table`, the weights and lookup tables. Therefore the kernels are compiled once a machine, not once a firmware.
"""
