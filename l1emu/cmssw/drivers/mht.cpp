// Missing HT. In, for each crossing: the number of jets, then pt, eta and phi of each. Out: pt and phi of the vector sum.
#include <cmath>

#include "L1Trigger/Phase2L1ParticleFlow/interface/jetmet/L1PFHtEmulator.h"
#include "words.h"

int main(int argc, char **argv) {
  Words words(argc, argv);
  while (words.more()) {
    std::vector<l1ct::Jet> jets(words.next());
    for (auto &jet : jets) {
      jet.clear();
      jet.hwPt = l1ct::Scales::makePt(words.next());
      jet.hwEta = words.next();
      jet.hwPhi = words.next();
    }
    const l1ct::Sum sum = htmht(jets);
    words.put(sum.intPt());
    words.put(sum.intPhi());
  }
  return words.end();
}
