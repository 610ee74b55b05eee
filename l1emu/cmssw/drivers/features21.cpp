// The inputs of CMS's jet tagger v2.0.0; see tagger_inputs.h.
#include "drivers/tagger_inputs.h"

// The same as in L1TSC4NGJet.cc.
struct ModelInputs {
  L1TSC4NGJet::inputtype *candidate_inputs;
  L1TSC4NGJet::inputtype *jet_inputs;
  int total_candidate_inputs;
  int total_jet_inputs;
};

void Keeper::prepare_input(std::any given) {
  const ModelInputs inputs = std::any_cast<ModelInputs>(given);
  keep(inputs.candidate_inputs, 16 * inputs.total_candidate_inputs);
  keep(inputs.jet_inputs, inputs.total_jet_inputs);
}

int main(int argc, char **argv) {
  return tagger_inputs(argc, argv, [](L1TSC4NGJetID &tagger, const l1t::PFJet &jet) { tagger.computeFixed(jet); });
}
