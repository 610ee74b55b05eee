// The endcap's buffered regionizer. In, for each crossing: the numbers of tracks and of clusters; sector, pt, eta and phi
// over all of the detector, deta, dphi and charge of each track, sector, pt, eta and phi of each cluster. The sectors of
// the negative endcap come first, nine for tracks and three for clusters. Out, for each region: of the tracks that it
// gives out the number, from 1 on, eta and phi from its centre, then the same of the clusters, 0 where there is none;
// then for each region beyond the tracker the same of its clusters.
#include "L1Trigger/Phase2L1ParticleFlow/interface/regionizer/buffered_folded_multififo_regionizer_ref.h"
#include "regions.h"
#include "slots.h"

// The selection of electromagnetic clusters fills another list, and is not called.
void l1ct::EGInputSelectorEmulator::select_or_clear(const std::vector<l1ct::HadCaloObjEmu> &,
                                                    std::vector<l1ct::EmCaloObjEmu> &) const {
  std::abort();
}

namespace {
  // As L1TCorrelatorLayer1Producer and l1ctLayer1_cff.py lay them out.
  template <typename Object>
  std::vector<l1ct::DetectorSector<Object>> sectors_of(int slices, double first, double inner, double outer) {
    std::vector<l1ct::DetectorSector<Object>> sectors;
    const float width = 2 * M_PI / slices;
    for (int positive = 0; positive < 2; ++positive)
      for (int slice = 0; slice < slices; ++slice) {
        const float turned = slice * width + first;
        const float centre = std::abs(turned) <= float(M_PI) ? turned : turned - 2 * M_PI;
        sectors.emplace_back(positive ? inner : -outer, positive ? outer : -inner, centre, width);
      }
    return sectors;
  }

  template <typename Object>
  Object &next_object(Words &words, std::vector<l1ct::DetectorSector<Object>> &sectors) {
    auto &sector = sectors.at(words.next());
    Object object;
    object.clear();
    object.hwPt = pt_word(words.next());
    object.hwEta = words.next() - sector.region.intEtaCenter();
    object.hwPhi = turned(words.next() - sector.region.intPhiCenter());
    sector.obj.push_back(object);
    return sector.obj.back();
  }

  std::vector<l1ct::PFInputRegion> regions_of(int negative, int positive) {
    std::vector<l1ct::PFInputRegion> regions;
    for (int slice : {negative, positive})
      for (int phi = 0; phi < 9; ++phi)
        regions.push_back(region_of(9 * slice + phi));
    return regions;
  }
}  // namespace

int main(int argc, char **argv) {
  Words words(argc, argv);
  using Regionizer = l1ct::BufferedFoldedMultififoRegionizerEmulator;
  Regionizer endcap(162, 30, 20, 0, 0, true, 6, 3, true), forward(162, 0, 12, 0, 0, true, 6, 3, true);
  while (words.more()) {
    l1ct::RegionizerDecodedInputs in;
    in.track = sectors_of<l1ct::TkObjEmu>(9, 0., 0., 2.5);
    in.hadcalo = sectors_of<l1ct::HadCaloObjEmu>(3, M_PI / 2, 1.5, 3.0);
    in.muon.region = l1ct::PFRegionEmu(0., 0.);
    const int n_tracks = words.next(), n_clusters = words.next();
    for (int i = 1; i <= n_tracks; ++i) {
      l1ct::TkObjEmu &track = next_object(words, in.track);
      track.hwDEta = words.next();
      track.hwDPhi = words.next();
      track.hwCharge = words.next();
      track.src = reinterpret_cast<const l1t::PFTrack *>(intptr_t(i));
    }
    for (int i = 1; i <= n_clusters; ++i)
      next_object(words, in.hadcalo).src = reinterpret_cast<const l1t::L1Candidate *>(intptr_t(i));
    std::vector<l1ct::PFInputRegion> regions = regions_of(1, 8);
    endcap.run(in, regions);
    for (auto &region : regions) {
      put_slots(words, region.track, 30);
      put_slots(words, region.hadcalo, 20);
    }
    regions = regions_of(0, 9);
    forward.run(in, regions);
    for (auto &region : regions)
      put_slots(words, region.hadcalo, 12);
  }
  return words.end();
}
