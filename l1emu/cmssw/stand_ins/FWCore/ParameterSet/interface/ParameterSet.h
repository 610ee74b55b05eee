// Stands in for CMSSW's parameter sets: the drivers configure by arguments, so that none is ever read.
#ifndef L1EMU_STAND_IN_PARAMETER_SET_H
#define L1EMU_STAND_IN_PARAMETER_SET_H

#include <cstdlib>
#include <string>
#include <vector>

namespace edm {
  struct ParameterSet {
    template <typename T>
    T getParameter(const std::string &) const {
      std::abort();
    }
    template <typename T>
    T getUntrackedParameter(const std::string &) const {
      std::abort();
    }
    template <typename T>
    T getUntrackedParameter(const std::string &, const T &) const {
      std::abort();
    }
    bool existsAs(const std::string &) const { return false; }
    bool exists(const std::string &) const { return false; }
  };
}  // namespace edm

#endif
