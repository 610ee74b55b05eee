// Stands in for `l1t::PFCandidate`: what the jet tagger takes of it.
#ifndef L1EMU_STAND_IN_PF_CANDIDATE_H
#define L1EMU_STAND_IN_PF_CANDIDATE_H

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "DataFormats/L1TParticleFlow/interface/layer1_emulator.h"

// That header declares the class, in the one namespace or in another by version; the tagger gets ours instead.
#define PFCandidate PFCandidateOfTagger

namespace edm {
  template <typename T>
  using Ptr = std::shared_ptr<T>;
}

namespace l1t {
  struct PFCandidate {
    enum ParticleType { ChargedHadron = 0, Electron = 1, NeutralHadron = 2, Photon = 3, Muon = 4 };

    float pt() const { return pt_; }
    int hwPt() const { return hwPt_; }
    int hwEta() const { return hwEta_; }
    int hwPhi() const { return hwPhi_; }
    int charge() const { return charge_; }
    ParticleType id() const { return id_; }
    int16_t hwZ0() const { return hwZ0_; }
    int16_t hwDxy() const { return hwDxy_; }
    uint16_t hwTkQuality() const { return hwTkQuality_; }
    uint16_t hwPuppiWeight() const { return hwPuppiWeight_; }
    uint16_t hwEmID() const { return hwEmID_; }
    uint64_t encodedPuppi64() const { return encodedPuppi64_; }

    float pt_ = 0;
    int hwPt_ = 0, hwEta_ = 0, hwPhi_ = 0, charge_ = 0;
    ParticleType id_ = ChargedHadron;
    int16_t hwZ0_ = 0, hwDxy_ = 0;
    uint16_t hwTkQuality_ = 0, hwPuppiWeight_ = 0, hwEmID_ = 0;
    uint64_t encodedPuppi64_ = 0;
  };
}  // namespace l1t

#endif
