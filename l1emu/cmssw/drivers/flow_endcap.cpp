// The particle flow of an endcap region; see flow.h.
#include "flow.h"
#include "L1Trigger/Phase2L1ParticleFlow/src/pf/pfalgo2hgc_ref.cpp"

int main(int argc, char **argv) {
  Words words(argc, argv);
  const auto r2 = l1ct::Scales::makeDR2FromFloatDR;
  const auto pt = l1ct::Scales::makePtFromFloat;
  l1ct::PFAlgo2HGCEmulator flow(30, 20, 4, 20, r2(0.2), r2(0.1), pt(10.0), pt(20.0));
  const float etas[] = {1.700, 1.900, 2.200, 2.500, 2.800, 2.900};
  const float offsets[] = {1.793, 1.827, 2.363, 2.538, 2.812, 2.642};
  const float scales[] = {0.138, 0.137, 0.124, 0.115, 0.106, 0.121};
  flow.loadPtErrBins(6, etas, scales, offsets);
  while (words.more()) {
    l1ct::PFInputRegion in;
    l1ct::OutputRegion out;
    read_region(words, in);
    flow.run(in, out);
    write_region(words, out, 30, 20, 4);
  }
  return words.end();
}
