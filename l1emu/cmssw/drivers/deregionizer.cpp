// The deregionizer, with the boards of l1tDeregionizerProducer_cfi.py. In, for each crossing: the number of candidates,
// then the region of each, those of a region in its order. Out: how many reach the jet finder, then the numbers of the
// candidates in the order of their arrival, those after the first 128 included, and -1 for each that never arrives.
#include <cassert>
#include <string>

#include "L1Trigger/Phase2L1ParticleFlow/interface/deregionizer/deregionizer_input.h"
#include "L1Trigger/Phase2L1ParticleFlow/interface/deregionizer/deregionizer_ref.h"
#include "words.h"

static const unsigned frames = 54, regions = 108;

static l1ct::DeregionizerInput::BoardInfo board(unsigned order, unsigned links, unsigned per_region) {
  l1ct::DeregionizerInput::BoardInfo info;
  info.nOutputFramesPerBX_ = 9;
  info.nLinksPuppi_ = links;
  info.nPuppiPerRegion_ = per_region;
  info.order_ = order;
  return info;
}

static void add(l1ct::DeregionizerInput::BoardInfo &info, unsigned first, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    info.regions_.push_back(first + i);
  info.nPuppiFramesPerRegion_ = frames / info.regions_.size();
}

int main(int argc, char **argv) {
  Words words(argc, argv);
  std::vector<l1ct::DeregionizerInput::BoardInfo> boards;
  for (unsigned b = 0; b < 3; ++b) {
    boards.push_back(board(b, 6, 18));
    for (unsigned slice = 0; slice < 6; ++slice)
      add(boards.back(), 9 * slice + 3 * b, 3);
  }
  boards.push_back(board(4, 3, 18));
  add(boards.back(), 63, 9);
  boards.push_back(board(3, 3, 18));
  add(boards.back(), 54, 9);
  boards.push_back(board(5, 4, 12));
  add(boards.back(), 72, 18);
  for (unsigned side = 0; side < 2; ++side) {
    boards.push_back(board(6 + side, 3, 18));
    add(boards.back(), 90 + 9 * side, 9);
  }
  const l1ct::DeregionizerInput input(boards);
  l1ct::DeregionizerEmulator emulator(128, 6, 12, 32, 64);
  while (words.more()) {
    const unsigned n = words.next();
    std::vector<l1ct::OutputRegion> given(regions);
    for (unsigned i = 0; i < n; ++i) {
      l1ct::PuppiObjEmu candidate;
      candidate.clear();
      candidate.hwData = i;
      given.at(words.next()).puppi.push_back(candidate);
    }
    std::vector<l1ct::PuppiObjEmu> out, lost;
    emulator.run(input.orderInputs(given), out, lost);
    words.put(out.size());
    for (const auto &candidate : out)
      words.put(candidate.hwData.to_int());
    for (const auto &candidate : lost)
      words.put(candidate.hwData.to_int());
    for (unsigned i = out.size() + lost.size(); i < n; ++i)
      words.put(-1);
  }
  return words.end();
}
