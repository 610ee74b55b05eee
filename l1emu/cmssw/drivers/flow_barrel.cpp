// The particle flow of a barrel region; see flow.h. Photons come first among the neutrals, as they do for PUPPI.
#include "flow.h"
#include "L1Trigger/Phase2L1ParticleFlow/src/pf/pfalgo3_ref.cpp"

int main(int argc, char **argv) {
  Words words(argc, argv);
  const auto r2 = l1ct::Scales::makeDR2FromFloatDR;
  const auto pt = l1ct::Scales::makePtFromFloat;
  l1ct::PFAlgo3Emulator flow(25, 12, 18, 2, 12, 18, 25, r2(0.2), r2(0.04), r2(0.10), r2(0.15), pt(10.0), pt(20.0));
  const float etas[] = {0.700, 1.200, 1.600}, offsets[] = {2.909, 2.864, 0.294}, scales[] = {0.119, 0.127, 0.442};
  flow.loadPtErrBins(3, etas, scales, offsets);
  while (words.more()) {
    l1ct::PFInputRegion in;
    l1ct::OutputRegion out;
    read_region(words, in);
    flow.run(in, out);
    flow.mergeNeutrals(out);
    write_region(words, out, 25, 12 + 18, 2);
  }
  return words.end();
}
