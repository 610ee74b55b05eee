// PUPPI in regions. In, for each: its number, the vertex's z0, the numbers of tracks, charged and neutral particles (in
// a forward region of clusters instead), and these as `words.py` of the correlator lays them out. Out: the candidates
// (`PuppiObj`), as many as a region can give, empty ones all 0.
#include <cstdlib>
#include <vector>

#include "L1Trigger/Phase2L1ParticleFlow/interface/puppi/linpuppi_ref.h"
#include "objects.h"
#include "regions.h"

// The network that links tracks to the vertex is off in CMS's configuration, and is not called.
void EmuNetworkSelector(const l1ct::TkObj &, const l1ct::PVObjEmu &, l1ct::nn_assoc_t &) { std::abort(); }

inline int run_puppi(int argc, char **argv, const l1ct::LinPuppiEmulator &puppi, unsigned slots) {
  Words words(argc, argv);
  while (words.more()) {
    const int number = words.next();
    l1ct::PFInputRegion in = region_of(number);
    l1ct::OutputRegion out;
    std::vector<l1ct::PVObjEmu> vertices(1);
    vertices[0].hwZ0 = words.next();
    in.track.resize(words.next());
    out.pfcharged.resize(words.next());
    const unsigned neutral = words.next();
    for (auto &track : in.track)
      read_track(words, track);
    for (auto &charged : out.pfcharged) {
      read_place(words, charged);
      charged.hwDEta = words.next();
      charged.hwDPhi = words.next();
      charged.hwId.bits = words.next();
      charged.hwZ0 = words.next();
      charged.hwDxy = words.next();
      charged.hwTkQuality = words.next();
    }
    if (kind_of(number) == FORWARD) {
      in.hadcalo.resize(neutral);
      for (auto &cluster : in.hadcalo)
        read_cluster(words, cluster);
    } else {
      out.pfneutral.resize(neutral);
      for (auto &particle : out.pfneutral) {
        read_place(words, particle);
        particle.hwId.bits = words.next();
        particle.hwEmPt = l1ct::Scales::makePt(words.next());
        particle.hwEmID = words.next();
      }
    }
    puppi.run(in, vertices, out);
    for (unsigned i = 0; i < slots; ++i) {
      if (i >= out.puppi.size() || out.puppi[i].hwPt == 0) {
        for (int word = 0; word < 9; ++word)
          words.put(0);
        continue;
      }
      const auto &candidate = out.puppi[i];
      const bool charged = candidate.hwId.charged();
      const int data = candidate.hwData.to_int();
      words.put(candidate.intPt());
      words.put(candidate.intEta());
      words.put(candidate.intPhi());
      words.put(candidate.intId());
      words.put(charged ? candidate.hwZ0().to_int() : 0);
      words.put(charged ? candidate.hwDxy().to_int() : 0);
      words.put(charged ? candidate.hwTkQuality().to_int() : 0);
      words.put(charged ? 256 : (data >> l1ct::PuppiObj::BITS_PUPPIW_START) & 511);
      words.put(charged ? 0 : (data >> l1ct::PuppiObj::BITS_EMID_START) & 63);
    }
  }
  return words.end();
}

inline l1ct::pt_t cut(float pt) { return l1ct::Scales::makePtFromFloat(pt); }
inline unsigned r2(float radius) { return l1ct::Scales::makeDR2FromFloatDR(radius); }
inline unsigned dz(float z) { return l1ct::Scales::makeZ0(z).to_int(); }
inline unsigned int_pt(float pt) { return l1ct::Scales::intPt(cut(pt)); }
