// Stands in for `l1t::PFJet`: its word and its constituents.
#ifndef L1EMU_STAND_IN_PF_JET_H
#define L1EMU_STAND_IN_PF_JET_H

#include <array>
#include <cstdint>
#include <vector>

#include "DataFormats/L1TParticleFlow/interface/PFCandidate.h"

namespace l1t {
  struct PFJet {
    std::vector<edm::Ptr<PFCandidate>> constituents() const { return constituents_; }
    std::array<uint64_t, 2> getHWJetCT() const { return word_; }

    std::vector<edm::Ptr<PFCandidate>> constituents_;
    std::array<uint64_t, 2> word_ = {{0, 0}};
  };
}  // namespace l1t

#endif
