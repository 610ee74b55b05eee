// The inputs of CMS's jet tagger v0.0.0; see tagger_inputs.h.
#include "drivers/tagger_inputs.h"

void Keeper::prepare_input(std::any given) { keep(std::any_cast<L1TSC4NGJetID::inputtype *>(given), 16 * 20); }

int main(int argc, char **argv) {
  return tagger_inputs(argc, argv, [](L1TSC4NGJetID &tagger, const l1t::PFJet &jet) { tagger.computeFixed(jet, false); });
}
