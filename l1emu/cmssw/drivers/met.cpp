// Missing ET. In, for each crossing: the number of candidates, then pt and phi of each. Out: pt and phi.
#include <cmath>

#include "L1Trigger/Phase2L1ParticleFlow/interface/jetmet/L1PFMetEmulator.h"
#include "words.h"

int main(int argc, char **argv) {
  Words words(argc, argv);
  while (words.more()) {
    std::vector<l1ct::PuppiObjEmu> candidates(words.next());
    for (auto &candidate : candidates) {
      candidate.clear();
      candidate.hwPt = l1ct::Scales::makePt(words.next());
      candidate.hwPhi = words.next();
    }
    l1ct::Sum sum;
    puppimet_emu(candidates, sum);
    words.put(sum.intPt());
    words.put(sum.intPhi());
  }
  return words.end();
}
