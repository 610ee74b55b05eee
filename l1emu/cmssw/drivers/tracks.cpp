// The correlator's tracks. In, for each track: which decoder, 0 of the barrel and 1 of the endcap, and the upper 32 and
// the lower 64 bits of its word. Out: whether it is a track, and its words.
#include "L1Trigger/Phase2L1ParticleFlow/interface/l1-converters/tkinput_ref.h"
#include "words.h"

using Emulator = l1ct::TrackInputEmulator;

// As l1ctLayer1_cff.py has it, and what it leaves out as `getParameterSetDescription`.
Emulator configured(Emulator::Region region) {
  const bool endcap = region == Emulator::Region::Endcap;
  Emulator emulator(region, Emulator::Encoding::Biased, true, !endcap);
  emulator.configPt(11);
  emulator.configEta(endcap ? 11 : 10, 0, endcap ? 4 : 5, endcap ? 150 : 0, true, endcap);
  emulator.configPhi(10);
  emulator.configZ0(12);
  emulator.configDxy(11);
  if (endcap) {
    emulator.configDEtaHGCal(10, 2, 6, 10, 2, 0.);
    emulator.configDPhiHGCal(4, 4, 6, 4, 22, 10, 0.);
  } else {
    emulator.configDEtaBarrel(8, 2, 2, 0.);
    emulator.configDPhiBarrel(4, 4, 4, 0.);
  }
  return emulator;
}

int main(int argc, char **argv) {
  Words words(argc, argv);
  const Emulator barrel = configured(Emulator::Region::Barrel), endcap = configured(Emulator::Region::Endcap);
  const l1ct::PFRegionEmu sector(0.f, 0.f);
  while (words.more()) {
    const Emulator &emulator = words.next() ? endcap : barrel;
    ap_uint<96> word = 0;
    word(95, 64) = ap_uint<32>(uint32_t(words.next()));
    word(63, 0) = ap_uint<64>(uint64_t(words.next()));
    const auto found = emulator.decodeTrack(word, sector);
    const l1ct::TkObjEmu &track = found.first;
    words.put(found.second);
    words.put(track.intPt());
    words.put(track.hwEta.to_int());
    words.put(track.hwPhi.to_int());
    words.put(track.hwDEta.to_int());
    words.put(track.hwDPhi.to_int());
    words.put(track.hwCharge);
    words.put(track.hwZ0.to_int());
    words.put(track.hwDxy.to_int());
    words.put(track.hwQuality.to_int());
  }
  return words.end();
}
