// What a region takes in, slot by slot.
#ifndef L1EMU_CMSSW_SLOTS_H
#define L1EMU_CMSSW_SLOTS_H

#include "words.h"

inline int turned(int phi) { return phi > 720 ? phi - 1440 : phi <= -720 ? phi + 1440 : phi; }

// The number of each object, in place of a pointer to what it was made of, its eta and its phi; 0 in empty slots.
template <typename Object>
void put_slots(Words &words, const std::vector<Object> &objects, unsigned slots) {
  for (unsigned i = 0; i < slots; ++i) {
    const bool there = i < objects.size() && objects[i].hwPt != 0;
    words.put(there ? reinterpret_cast<intptr_t>(objects[i].src) : 0);
    words.put(there ? objects[i].intEta() : 0);
    words.put(there ? objects[i].intPhi() : 0);
  }
}

#endif
