// PUPPI with the constants of l1tLayer1HGCal, see puppi.h.
#include "puppi.h"

int main(int argc, char **argv) {
  const l1ct::LinPuppiEmulator puppi(30, 20, 20, 1, r2(0.04), r2(0.3), int_pt(50.), dz(1.33),
                                     {l1ct::Scales::makeGlbEta(2.0)}, {0.3, 0.3}, {0.4, 0.4}, {5.0, 7.0}, {3.0, 4.0},
                                     {1.5, 1.5}, {6.0, 6.0}, {3.0, 3.0}, {5.0, 5.0}, {1.5, 1.5}, {cut(1.0), cut(2.0)},
                                     false, 0.0, 18, l1ct::LinPuppiEmulator::SortAlgo::FoldedHybrid);
  return run_puppi(argc, argv, puppi, 18);
}
