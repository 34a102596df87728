// The reference event: what every figure of this project is measured with. 9 fields, and a wire
// event of exactly 213 bytes with its topic and time. Used by the benchmarks and by tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outrider::bench {

inline constexpr std::string_view reference_topic = "orders.paid";
inline constexpr std::size_t reference_event_bytes = 213;

/// Packs the event's data with any msgpack::packer. `order` makes one event different from the
/// next and does not change its size.
template <typename Packer>
void pack_reference_data(Packer& packer, std::uint32_t order = 0) {
  const auto text = [&](std::string_view value) {
    packer.pack_str(static_cast<std::uint32_t>(value.size()));
    packer.pack_str_body(value.data(), static_cast<std::uint32_t>(value.size()));
  };
  packer.pack_map(9);
  text("order_id");
  packer.pack_fix_uint64(order);
  text("user_id");
  packer.pack_fix_uint64(4'812'907);
  text("amount");
  packer.pack_double(49.99);
  text("currency");
  text("EUR");
  text("items");
  packer.pack_uint8(3);
  text("host");
  text("app-7.web.fra1.example.com");
  text("duration_ms");
  packer.pack_double(12.75);
  text("paid");
  packer.pack_true();
  text("tags");
  packer.pack_map(3);
  text("region");
  text("eu-central");
  text("tier");
  text("premium");
  text("channel");
  text("mobile-app-ios");
}

}  // namespace outrider::bench
