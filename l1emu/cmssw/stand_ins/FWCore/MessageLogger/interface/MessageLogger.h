// Stands in for CMSSW's message logger: drops what it is told.
#ifndef L1EMU_STAND_IN_MESSAGE_LOGGER_H
#define L1EMU_STAND_IN_MESSAGE_LOGGER_H

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <string>
#include <string_view>

namespace edm {
  struct LogPrint {
    explicit LogPrint(const char *) {}
    template <typename T>
    LogPrint &operator<<(const T &) {
      return *this;
    }
    LogPrint &operator<<(std::ostream &(*)(std::ostream &)) { return *this; }
  };
  using LogProblem = LogPrint;
  using LogWarning = LogPrint;
  using LogError = LogPrint;
  using LogInfo = LogPrint;
}  // namespace edm

#endif
