"""The small part of C++ that hls4ml writes.

Nothing is executed and nothing is guessed: a construct outside this part is an `L1emuError` with file and line.

`lexer`
    tokens, their places, and brackets.
`parser`
    statements and declarations: types, constants, arrays, structs of these, functions.
`expression`
    constant expressions.
"""
