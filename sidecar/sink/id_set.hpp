// IdSet: knows whether an id has been seen before, with about sixteen bytes for each id.
//
// Used by `outrider sink` to count duplicates among tens of millions of events. It keeps 64-bit
// hashes: among ten million ids, the chance that any two are taken for one is 1 in 300,000. Beyond
// ids_max it stops remembering. Thread: its owner's.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

class IdSet {
 public:
  static constexpr std::uint64_t ids_max = 48ULL << 20U;

  /// False if the id was there already, or could not be remembered.
  bool insert(std::string_view id);

  std::uint64_t size() const { return size_; }
  bool is_full() const { return size_ >= ids_max; }

 private:
  bool insert_hash(std::uint64_t hash);
  void grow();

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1024);  ///< 0: empty
  std::uint64_t size_ = 0;
};

}  // namespace outrider::sidecar
