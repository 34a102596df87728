#include "sdk/src/attributes.hpp"

#include <cstring>
#include <string_view>

#include "proto/event.hpp"

namespace outrider::sdk {
namespace {

constexpr std::size_t text_bytes(std::size_t bytes) {
  return 2 + bytes;
}
constexpr std::size_t uint64_bytes = 9;
constexpr std::uint64_t millisecond_ns = 1'000'000;
/// A century: with it, no date of this one leaves 64 bits of nanoseconds.
constexpr std::uint64_t delay_ms_max = 100ULL * 366 * 24 * 3600 * 1000;
static_assert(1 + sizeof "id" + text_bytes(proto::id_text_bytes_max) +  //
                  sizeof "key" + text_bytes(proto::key_bytes_max) + sizeof "trace" +
                  text_bytes(proto::trace_bytes_max) + sizeof "at" + sizeof "ttl" +
                  2 * uint64_bytes + sizeof "pri" + 1 <=
              attributes_bytes_max);

std::uint8_t* write_sized(std::uint8_t* out, std::uint8_t lead, const void* data,
                          std::size_t bytes) {
  *out++ = lead;
  *out++ = static_cast<std::uint8_t>(bytes);
  std::memcpy(out, data, bytes);
  return out + bytes;
}

std::uint8_t* write_text(std::uint8_t* out, std::string_view text) {
  constexpr std::uint8_t str8 = 0xd9;
  return write_sized(out, str8, text.data(), text.size());
}

std::uint8_t* write_name(std::uint8_t* out, std::string_view name) {
  *out++ = static_cast<std::uint8_t>(0xa0U | name.size());
  std::memcpy(out, name.data(), name.size());
  return out + name.size();
}

std::uint8_t* write_uint(std::uint8_t* out, std::uint64_t value) {
  constexpr std::uint8_t uint64 = 0xcf;
  *out++ = uint64;
  const std::uint64_t big_endian = __builtin_bswap64(value);
  std::memcpy(out, &big_endian, sizeof big_endian);
  return out + sizeof big_endian;
}

bool is_sized(const void* data, std::size_t bytes, std::size_t bytes_max) {
  return bytes == 0 || (data != nullptr && bytes <= bytes_max);
}

}  // namespace

std::uint32_t attribute_count(const outrider_event& event) {
  return (event.id_bytes > 0 ? 1U : 0U) + (event.key_bytes > 0 ? 1U : 0U) +
         (event.trace_bytes > 0 ? 1U : 0U) + (event.at_ns > 0 || event.delay_ms > 0 ? 1U : 0U) +
         (event.ttl_ms > 0 ? 1U : 0U) + (event.priority != 0 ? 1U : 0U);
}

bool are_valid_attributes(const outrider_event& event) {
  if (event.priority < -1 || event.priority > 1) return false;
  if (event.at_ns > time_ns_max || event.ttl_ms > time_ns_max) return false;
  // In another unit, which the sidecar would refuse.
  if (event.at_ns > 0 && event.at_ns < proto::year_2000_ns) return false;
  if (event.delay_ms > delay_ms_max || (event.delay_ms > 0 && event.at_ns > 0)) return false;
  if (!is_sized(event.id, event.id_bytes, proto::id_text_bytes_max)) return false;
  if (event.id_bytes > 0 && event.id_is_text != 0 &&
      !proto::is_id_text({static_cast<const char*>(event.id), event.id_bytes})) {
    return false;
  }
  if (event.id_bytes > 0 && event.id_is_text == 0 && event.id_bytes != proto::id_binary_bytes) {
    return false;
  }
  return is_sized(event.key, event.key_bytes, proto::key_bytes_max) &&
         is_sized(event.trace, event.trace_bytes, proto::trace_bytes_max);
}

std::uint8_t* write_attributes(std::uint8_t* out, const outrider_event& event, std::uint32_t count,
                               std::uint64_t now_ns) {
  *out++ = static_cast<std::uint8_t>(0x80U | count);
  if (event.id_bytes > 0) {
    constexpr std::uint8_t bin8 = 0xc4;
    constexpr std::uint8_t str8 = 0xd9;
    out = write_name(out, "id");
    out = write_sized(out, event.id_is_text != 0 ? str8 : bin8, event.id, event.id_bytes);
  }
  if (event.key_bytes > 0) {
    out = write_name(out, "key");
    out = write_text(out, {event.key, event.key_bytes});
  }
  if (event.at_ns > 0 || event.delay_ms > 0) {
    out = write_name(out, "at");
    out = write_uint(out, event.at_ns > 0 ? event.at_ns : now_ns + event.delay_ms * millisecond_ns);
  }
  if (event.ttl_ms > 0) {
    out = write_name(out, "ttl");
    out = write_uint(out, event.ttl_ms);
  }
  if (event.priority != 0) {
    out = write_name(out, "pri");
    *out++ = static_cast<std::uint8_t>(event.priority + 1);
  }
  if (event.trace_bytes > 0) {
    out = write_name(out, "trace");
    out = write_text(out, {event.trace, event.trace_bytes});
  }
  return out;
}

}  // namespace outrider::sdk
