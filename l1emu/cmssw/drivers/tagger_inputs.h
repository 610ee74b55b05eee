// What CMS's jet tagger is given. In, for each jet: the number of rows of nine words, the first of which is pt, eta and
// phi of the jet, and the others are pt, eta, phi, identifier, z0, dxy, quality, weight and emid of its constituents,
// none of which is softer than the next. Out: the raw words of the network's inputs.
#ifndef L1EMU_CMSSW_TAGGER_INPUTS_H
#define L1EMU_CMSSW_TAGGER_INPUTS_H

#include "DataFormats/L1TParticleFlow/interface/puppi.h"
#include "L1Trigger/Phase2L1ParticleFlow/interface/L1TSC4NGJetID.h"
#include "words.h"

// A network that keeps what it is given.
struct Keeper : hls4mlEmulator::Model {
  void prepare_input(std::any given) override;
  void predict() override {}
  void read_result(std::any) override {}

  template <typename T>
  void keep(const T *inputs, int count) {
    for (int i = 0; i < count; ++i)
      kept.push_back(ap_int<T::width>(inputs[i].range()).to_int64());
  }

  std::vector<int64_t> kept;
};

inline l1ct::PuppiObj next_candidate(Words &words) {
  l1ct::PuppiObj candidate;
  candidate.clear();
  candidate.hwPt = l1ct::Scales::makePt(words.next());
  candidate.hwEta = words.next();
  candidate.hwPhi = words.next();
  candidate.hwId.bits = words.next();
  const int z0 = words.next(), dxy = words.next(), quality = words.next(), weight = words.next(), emid = words.next();
  if (candidate.hwId.charged()) {
    candidate.setHwZ0(z0);
    candidate.setHwDxy(dxy);
    candidate.setHwTkQuality(quality);
  } else {
    l1ct::puppiWgt_t word;
    word(l1ct::puppiWgt_t::width - 1, 0) = ap_uint<l1ct::puppiWgt_t::width>(weight);
    candidate.setHwPuppiW(word);
    candidate.setHwEmID(emid);
  }
  return candidate;
}

// As `DeregionizerProducer::hwToEdm_` does it.
inline std::shared_ptr<l1t::PFCandidate> as_candidate(const l1ct::PuppiObj &word) {
  auto made = std::make_shared<l1t::PFCandidate>();
  made->pt_ = word.floatPt();
  made->hwPt_ = word.intPt();
  made->hwEta_ = word.intEta();
  made->hwPhi_ = word.intPhi();
  made->charge_ = word.intCharge();
  made->encodedPuppi64_ = word.pack().to_uint64();
  if (word.hwId.charged()) {
    made->id_ = word.hwId.isMuon()       ? l1t::PFCandidate::Muon
                : word.hwId.isElectron() ? l1t::PFCandidate::Electron
                                         : l1t::PFCandidate::ChargedHadron;
    made->hwZ0_ = word.hwZ0();
    made->hwDxy_ = word.hwDxy();
    made->hwTkQuality_ = word.hwTkQuality();
  } else {
    made->id_ = word.hwId.isPhoton() ? l1t::PFCandidate::Photon : l1t::PFCandidate::NeutralHadron;
    made->hwPuppiWeight_ = word.hwPuppiW();
    made->hwEmID_ = word.hwEmID();
  }
  return made;
}

template <typename Compute>
int tagger_inputs(int argc, char **argv, Compute compute) {
  Words words(argc, argv);
  auto keeper = std::make_shared<Keeper>();
  L1TSC4NGJetID tagger(keeper, 16, false);
  while (words.more()) {
    const int64_t rows = words.next();
    l1ct::Jet word;
    word.clear();
    word.hwPt = l1ct::Scales::makePt(words.next());
    word.hwEta = words.next();
    word.hwPhi = words.next();
    for (int i = 0; i < 6; ++i)
      words.next();
    l1t::PFJet jet;
    jet.word_ = word.pack();
    for (int64_t i = 1; i < rows; ++i)
      jet.constituents_.push_back(as_candidate(next_candidate(words)));
    keeper->kept.clear();
    compute(tagger, jet);
    for (int64_t input : keeper->kept)
      words.put(input);
  }
  return words.end();
}

#endif
