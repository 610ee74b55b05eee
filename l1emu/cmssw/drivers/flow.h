// What the drivers of the particle flow share.
//
// In, for each region: its centre in eta, the numbers of tracks, electromagnetic clusters, calorimeter clusters and
// muons, and each of them: a track or muon as pt, eta, phi, deta, dphi, charge, z0, dxy, quality; an electromagnetic
// cluster as pt, eta, phi, error of pt, identification; a calorimeter cluster as pt, eta, phi, electromagnetic pt,
// identification. Out: as many charged particles, neutrals and muons as a region gives out at most, empty ones as zeros:
// charged ones as pt, eta, phi, deta, dphi, id, z0, dxy, quality, neutrals as pt, eta, phi, id, electromagnetic pt,
// identification.
#ifndef L1EMU_CMSSW_FLOW_H
#define L1EMU_CMSSW_FLOW_H

#define CMSSW_GIT_HASH  // the types beside the header, as inside CMSSW, but without its parameter sets
#include "L1Trigger/Phase2L1ParticleFlow/interface/pf/pfalgo_common_ref.h"
#undef CMSSW_GIT_HASH
#include "L1Trigger/Phase2L1ParticleFlow/src/pf/pfalgo_common_ref.cpp"
#include "objects.h"
#include "words.h"

inline void read_region(Words &words, l1ct::PFInputRegion &in) {
  in.region.hwEtaCenter = words.next();
  in.region.hwPhiCenter = in.region.hwEtaHalfWidth = in.region.hwPhiHalfWidth = 0;  // not used
  in.region.hwEtaExtra = in.region.hwPhiExtra = 0;
  in.track.resize(words.next());
  in.emcalo.resize(words.next());
  in.hadcalo.resize(words.next());
  in.muon.resize(words.next());
  for (auto &track : in.track)
    read_track(words, track);
  for (auto &cluster : in.emcalo) {
    read_place(words, cluster);
    cluster.hwPtErr = l1ct::Scales::makePt(words.next());
    cluster.hwEmID = words.next();
  }
  for (auto &cluster : in.hadcalo)
    read_cluster(words, cluster);
  for (auto &muon : in.muon)
    read_track(words, muon);
}

inline void write_charged(Words &words, std::vector<l1ct::PFChargedObjEmu> objects, unsigned n) {
  const unsigned filled = objects.size();
  objects.resize(n);
  for (unsigned i = filled; i < n; ++i)
    objects[i].clear();
  for (const auto &object : objects) {
    words.put(object.intPt());
    words.put(object.intEta());
    words.put(object.intPhi());
    words.put(object.hwDEta.to_int());
    words.put(object.hwDPhi.to_int());
    words.put(object.intId());
    words.put(object.hwZ0.to_int());
    words.put(object.hwDxy.to_int());
    words.put(object.hwTkQuality.to_int());
  }
}

inline void write_region(Words &words, l1ct::OutputRegion &out, unsigned tracks, unsigned neutrals, unsigned muons) {
  write_charged(words, out.pfcharged, tracks);
  const unsigned filled = out.pfneutral.size();
  out.pfneutral.resize(neutrals);
  for (unsigned i = filled; i < neutrals; ++i)
    out.pfneutral[i].clear();
  for (const auto &object : out.pfneutral) {
    words.put(object.intPt());
    words.put(object.intEta());
    words.put(object.intPhi());
    words.put(object.intId());
    words.put(object.intEmPt());
    words.put(object.hwEmID.to_int());
  }
  write_charged(words, out.pfmuon, muons);
}

#endif
