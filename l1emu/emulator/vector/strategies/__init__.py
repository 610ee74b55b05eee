"""The ways to compute layers on vectors, one module each; a kind of layer names those that it has.

dot_dense, dot_einsum           dot products of bytes or int16, sums in int32
wide_dense                      the same, sums in two int32
dense_loops                     the loops of dense layers
rounded_dense, rounded_einsum   products that are rounded one by one
stepped_dense                   sums that saturate at every step
elementwise, moves, scales      tensors in the same order, in another order, times factors
cells, step_products            GRU and LSTM, and the sums of their steps
pools, norms, mean_norm         means, largest numbers, normalizations by a table of roots
table_softmax, direct_softmax   exponentials from tables
scored_softmax                  the same, of scores that are made in the same kernel
lane_softmax                    exponentials from tables in any type, the arg-max, the sum of all differences
tables                          look-up tables, a type for each number
sums, split, lane_sums          what several of these share
"""
