// The seeded cone. In, for each crossing: the number of candidates, then pt, eta and phi of each. Out: the number of
// jets, pt, eta and phi of each by descending pt (of equals, in the order in which they were found), and for each
// candidate the number of its jet, or -1.
#include <algorithm>
#include <type_traits>

#include "L1Trigger/Phase2L1ParticleFlow/interface/jetmet/L1SeedConePFJetEmulator.h"
#include "words.h"

template <typename Emulator>
Emulator seeded_cone() {
  if constexpr (std::is_constructible_v<Emulator, bool, float, unsigned, bool>)
    return Emulator(false, 0.4, 16, false);
  else
    return Emulator(false, 0.4, 16);
}

int main(int argc, char **argv) {
  Words words(argc, argv);
  const L1SCJetEmu emulator = seeded_cone<L1SCJetEmu>();
  while (words.more()) {
    std::vector<L1SCJetEmu::Particle> candidates(words.next());
    for (unsigned i = 0; i < candidates.size(); ++i) {
      candidates[i].clear();
      candidates[i].hwPt = l1ct::Scales::makePt(words.next());
      candidates[i].hwEta = words.next();
      candidates[i].hwPhi = words.next();
      candidates[i].hwData = i;
    }
    std::vector<L1SCJetEmu::Jet> jets = emulator.emulateEvent(candidates);
    std::stable_sort(jets.begin(), jets.end(), [](const auto &a, const auto &b) { return a.hwPt > b.hwPt; });
    words.put(jets.size());
    std::vector<int> owner(candidates.size(), -1);
    for (unsigned j = 0; j < jets.size(); ++j) {
      words.put(jets[j].intPt());
      words.put(jets[j].intEta());
      words.put(jets[j].intPhi());
      for (const auto &candidate : jets[j].constituents)
        owner[candidate.hwData.to_int()] = j;
    }
    for (int jet : owner)
      words.put(jet);
  }
  return words.end();
}
