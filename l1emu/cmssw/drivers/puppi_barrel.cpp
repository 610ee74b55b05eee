// PUPPI with the constants of l1tLayer1Barrel, see puppi.h.
#include "puppi.h"

int main(int argc, char **argv) {
  const l1ct::LinPuppiEmulator puppi(22, 25, 25, 1, r2(0.07), r2(0.3), int_pt(50.), dz(0.5), {}, {0.3}, {0.3}, {4.0},
                                     {2.5}, {0.7}, {6.0}, {4.0}, {5.0}, {1.0}, {cut(1.0)}, false, 0.0, 18,
                                     l1ct::LinPuppiEmulator::SortAlgo::Insertion);
  return run_puppi(argc, argv, puppi, 18);
}
