// Jets of a crossing, for their sums: their number, then pt, eta and phi of each.
#ifndef L1EMU_CMSSW_SUMS_H
#define L1EMU_CMSSW_SUMS_H

#include <cmath>

#include "L1Trigger/Phase2L1ParticleFlow/interface/jetmet/L1PFHtEmulator.h"
#include "words.h"

inline std::vector<l1ct::Jet> read_jets(Words &words) {
  std::vector<l1ct::Jet> jets(words.next());
  for (auto &jet : jets) {
    jet.clear();
    jet.hwPt = l1ct::Scales::makePt(words.next());
    jet.hwEta = words.next();
    jet.hwPhi = words.next();
  }
  return jets;
}

#endif
