#include "sidecar/sink/id_set.hpp"

#include <functional>
#include <utility>

namespace outrider::sidecar {

bool IdSet::insert(std::string_view id) {
  if (is_full()) return false;
  if (size_ * 4 >= slots_.size() * 3) grow();
  const std::uint64_t hash = std::hash<std::string_view>{}(id);
  if (!insert_hash(hash == 0 ? 1 : hash)) return false;
  ++size_;
  return true;
}

bool IdSet::insert_hash(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at] != 0) {
    if (slots_[at] == hash) return false;
    at = (at + 1) & mask;
  }
  slots_[at] = hash;
  return true;
}

void IdSet::grow() {
  std::vector<std::uint64_t> old(slots_.size() * 2);
  std::swap(old, slots_);
  for (const std::uint64_t hash : old) {
    if (hash != 0) insert_hash(hash);
  }
}

}  // namespace outrider::sidecar
