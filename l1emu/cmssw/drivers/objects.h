// Objects of a region, read as rows of the words that `words.py` of the correlator lays out.
#ifndef L1EMU_CMSSW_OBJECTS_H
#define L1EMU_CMSSW_OBJECTS_H

#include "DataFormats/L1TParticleFlow/interface/layer1_emulator.h"
#include "words.h"

template <typename Object>
void read_place(Words &words, Object &object) {
  object.clear();
  object.hwPt = l1ct::Scales::makePt(words.next());
  object.hwEta = words.next();
  object.hwPhi = words.next();
}

// A track or a muon.
template <typename Object>
void read_track(Words &words, Object &track) {
  read_place(words, track);
  track.hwDEta = words.next();
  track.hwDPhi = words.next();
  track.hwCharge = words.next();
  track.hwZ0 = words.next();
  track.hwDxy = words.next();
  track.hwQuality = words.next();
}

inline void read_cluster(Words &words, l1ct::HadCaloObjEmu &cluster) {
  read_place(words, cluster);
  cluster.hwEmPt = l1ct::Scales::makePt(words.next());
  cluster.hwEmID = words.next();
}

#endif
