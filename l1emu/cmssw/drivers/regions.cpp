// The Ideal regionizer. In, for each crossing: the numbers of tracks and of clusters; pt, eta and phi over all of the
// detector, deta, dphi and charge of each track, pt, eta and phi of each cluster. Out, for each region: of the tracks
// that its particle flow takes the number, from 1 on, eta and phi from its centre, then the same of the clusters; 0
// where there is none.
#include "L1Trigger/Phase2L1ParticleFlow/interface/regionizer/regionizer_base_ref.h"
#include "regions.h"
#include "slots.h"

namespace {
  // A sector around an object, which has to lie in the sector's ten bits of eta and phi.
  template <typename Object>
  Object &in_sector(std::vector<l1ct::DetectorSector<Object>> &sectors, int pt, int eta, int phi) {
    const int slice = ((phi + 80 + 1440) / 160) % 9;
    sectors.emplace_back();
    sectors.back().region = region_of((eta < -344 ? 1 : eta < 0 ? 3 : eta < 344 ? 6 : 8) * 9 + slice).region;
    Object object;
    object.clear();
    object.hwPt = pt_word(pt);
    object.hwEta = eta - sectors.back().region.intEtaCenter();
    object.hwPhi = turned(phi - sectors.back().region.intPhiCenter());
    sectors.back().obj.push_back(object);
    return sectors.back().obj.back();
  }
}  // namespace

int main(int argc, char **argv) {
  Words words(argc, argv);
  l1ct::RegionizerEmulator regionizer(true);
  static const unsigned tracks[] = {25, 30, 0}, clusters[] = {18, 20, 12};
  while (words.more()) {
    std::vector<l1ct::PFInputRegion> regions;
    for (int number = 0; number < 90; ++number)
      regions.push_back(region_of(number));
    l1ct::RegionizerDecodedInputs in;
    const int n_tracks = words.next(), n_clusters = words.next();
    for (int i = 1; i <= n_tracks; ++i) {
      const int pt = words.next(), eta = words.next(), phi = words.next();
      l1ct::TkObjEmu &track = in_sector(in.track, pt, eta, phi);
      track.hwDEta = words.next();
      track.hwDPhi = words.next();
      track.hwCharge = words.next();
      track.src = reinterpret_cast<const l1t::PFTrack *>(intptr_t(i));
    }
    for (int i = 1; i <= n_clusters; ++i) {
      const int pt = words.next(), eta = words.next(), phi = words.next();
      in_sector(in.hadcalo, pt, eta, phi).src = reinterpret_cast<const l1t::L1Candidate *>(intptr_t(i));
    }
    regionizer.run(in, regions);
    for (int number = 0; number < 90; ++number) {
      put_slots(words, regions[number].track, tracks[kind_of(number)]);
      put_slots(words, regions[number].hadcalo, clusters[kind_of(number)]);
    }
  }
  return words.end();
}
