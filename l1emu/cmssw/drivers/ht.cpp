// HT. In, for each crossing, its jets, see sums.h. Out: HT.
#include "sums.h"

int main(int argc, char **argv) {
  Words words(argc, argv);
  while (words.more()) {
    const l1ct::Sum sum = htmht(read_jets(words));
    words.put(sum.intSumPt());
  }
  return words.end();
}
