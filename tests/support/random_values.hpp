// Random msgpack values for property tests, written by msgpack-c; each has a JSON form that says
// the same.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include <msgpack.hpp>

namespace outrider::test {

class RandomValues {
 public:
  using Packer = msgpack::packer<msgpack::sbuffer>;

  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::string text() {
    constexpr const char* parts[] = {"plain", "\"", "\\", "\n", "ü", "東京", "\x01", "🚀", " ", "/"};
    std::string text;
    for (std::uint64_t left = below(8); left > 0; --left) text += parts[below(std::size(parts))];
    return text;
  }

  /// A value whose containers nest so many levels at most; `key()` writes the keys of its maps.
  template <typename Key>
  void pack(Packer& packer, int levels_left, const Key& key) {
    switch (below(levels_left > 0 ? 8 : 6)) {
      case 0:
        packer.pack_nil();
        break;
      case 1:
        packer.pack(below(2) == 0);
        break;
      case 2:
        packer.pack(std::uint64_t{random_() >> below(64)});
        break;
      case 3:
        packer.pack(static_cast<std::int64_t>(random_()) >> below(63));
        break;
      case 4:
        packer.pack(static_cast<double>(static_cast<std::int64_t>(random_())) / 1e9);
        break;
      case 5:
        packer.pack(text());
        break;
      case 6: {
        const auto count = static_cast<std::uint32_t>(below(20));
        packer.pack_array(count);
        for (std::uint32_t i = 0; i < count; ++i) pack(packer, levels_left - 1, key);
        break;
      }
      default: {
        const auto count = static_cast<std::uint32_t>(below(20));
        packer.pack_map(count);
        for (std::uint32_t i = 0; i < count; ++i) {
          packer.pack(key());
          pack(packer, levels_left - 1, key);
        }
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace outrider::test
