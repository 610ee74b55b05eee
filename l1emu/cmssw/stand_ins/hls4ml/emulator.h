// Stands in for the interface of compiled networks (github.com/cms-hls4ml/hls4mlEmulatorExtras).
#ifndef L1EMU_STAND_IN_EMULATOR_H
#define L1EMU_STAND_IN_EMULATOR_H

#include <any>
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using std::unique_ptr;
#define LogDebug(category) \
  if (true) {              \
  } else                   \
    std::cerr

namespace hls4mlEmulator {
  class Model {
  public:
    virtual ~Model() = default;
    virtual void prepare_input(std::any given) = 0;
    virtual void predict() = 0;
    virtual void read_result(std::any result) = 0;
  };
}  // namespace hls4mlEmulator

#endif
