// The regions of l1ctLayer1_cff.py and L1TCorrelatorLayer1Producer: number 9 i + j is slice i in eta and j in phi.
#ifndef L1EMU_CMSSW_REGIONS_H
#define L1EMU_CMSSW_REGIONS_H

#include <cmath>

#include "DataFormats/L1TParticleFlow/interface/layer1_emulator.h"
#include "words.h"

enum Kind { BARREL, ENDCAP, FORWARD };

inline Kind kind_of(int number) {
  const int eta = number / 9;
  return eta == 0 || eta == 9 ? FORWARD : eta == 1 || eta == 8 ? ENDCAP : BARREL;
}

inline l1ct::PFInputRegion region_of(int number) {
  static const double edges[] = {-3.0, -2.5, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.5, 3.0};
  const int eta = number / 9;
  const float width = 2 * M_PI / 9;
  const float turned = (number % 9) * width;
  const float centre = std::abs(turned) <= float(M_PI) ? turned : turned - 2 * M_PI;
  return l1ct::PFInputRegion(edges[eta], edges[eta + 1], centre, width, 0.25, 0.25);
}

inline l1ct::pt_t pt_word(int64_t word) {
  l1ct::pt_t pt;
  pt.range() = word;
  return pt;
}

#endif
