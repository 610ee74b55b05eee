// PUPPI with the constants of l1tLayer1HGCalNoTK, see puppi.h.
#include "puppi.h"

int main(int argc, char **argv) {
  const l1ct::LinPuppiEmulator puppi(0, 12, 12, 1, r2(0.04), r2(0.3), int_pt(50.), dz(1.33), {}, {0.3}, {0.4}, {9.0},
                                     {5.0}, {2.2}, {9.0}, {4.0}, {7.0}, {5.0}, {cut(4.0)}, false, 0.0, 12,
                                     l1ct::LinPuppiEmulator::SortAlgo::Hybrid);
  return run_puppi(argc, argv, puppi, 12);
}
