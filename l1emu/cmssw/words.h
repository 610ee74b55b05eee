// Words in and out of a driver: 64-bit integers, from the file whose number is the first argument to that of the second.
#ifndef L1EMU_CMSSW_WORDS_H
#define L1EMU_CMSSW_WORDS_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

class Words {
public:
  Words(int argc, char **argv) {
    if (argc != 3)
      fail("two file numbers are needed");
    from_ = fdopen(std::atoi(argv[1]), "rb");
    to_ = fdopen(std::atoi(argv[2]), "wb");
    if (!from_ || !to_)
      fail("a file cannot be opened");
    int64_t chunk[4096];
    size_t got;
    while ((got = std::fread(chunk, sizeof(int64_t), 4096, from_)) > 0)
      words_.insert(words_.end(), chunk, chunk + got);
  }

  bool more() const { return at_ < words_.size(); }

  int64_t next() {
    if (!more())
      fail("read beyond the words");
    return words_[at_++];
  }

  void put(int64_t word) {
    if (std::fwrite(&word, sizeof(word), 1, to_) != 1)
      fail("a word cannot be written");
  }

  int end() {
    if (std::fclose(to_) != 0)
      fail("the words cannot be written");
    return 0;
  }

private:
  [[noreturn]] static void fail(const char *why) {
    std::fprintf(stderr, "%s\n", why);
    std::exit(3);
  }

  std::FILE *from_, *to_;
  std::vector<int64_t> words_;
  size_t at_ = 0;
};

#endif
