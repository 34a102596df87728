#include "sidecar/encode/json_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "proto/utf8.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t buffer_bytes_min = 4096;
constexpr std::size_t buffer_bytes_kept_max = 256 * 1024;
constexpr std::size_t number_bytes_max = 32;

/// Sixteen bytes that are looked at together; the compiler makes vector instructions of it.
using Block = signed char __attribute__((vector_size(16)));

template <typename Word>
Word load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

template <typename Word>
void store(char* at, Word word) {
  std::memcpy(at, &word, sizeof word);
}

/// Whether one of the bytes cannot stand in a JSON string as it is: a control byte, a quote, a
/// backslash, or part of a character beyond ASCII (a negative byte), which has to be checked.
bool has_special(Block block) {
  const Block found = (block < 0x20) | (block == '"') | (block == '\\');
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(found);
  return (words[0] | words[1]) != 0;
}

bool has_special(std::uint64_t first, std::uint64_t last) {
  return has_special(std::bit_cast<Block>(std::array{first, last}));
}

bool is_special(char c) {
  const auto byte = static_cast<signed char>(c);
  return byte < 0x20 || byte == '"' || byte == '\\';
}

std::size_t plain_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at + 16 <= text.size() && !has_special(load<Block>(text.data() + at))) at += 16;
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

/// Copies a text that has nothing special in it; false if it has. The bytes at the end are copied
/// as words that overlap the ones before, which is quicker than to count them.
bool copy_plain(std::string_view text, char* out) {
  const char* from = text.data();
  std::size_t size = text.size();
  for (; size > 16; size -= 16, from += 16, out += 16) {
    const auto block = load<Block>(from);
    if (has_special(block)) return false;
    store(out, block);
  }
  if (size >= 8) {
    const auto first = load<std::uint64_t>(from);
    const auto last = load<std::uint64_t>(from + size - 8);
    store(out, first);
    store(out + size - 8, last);
    return !has_special(first, last);
  }
  if (size >= 4) {
    const auto first = load<std::uint32_t>(from);
    const auto last = load<std::uint32_t>(from + size - 4);
    store(out, first);
    store(out + size - 4, last);
    const std::uint64_t both = first | std::uint64_t{last} << 32U;
    return !has_special(both, both);
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (is_special(from[i])) return false;
    out[i] = from[i];
  }
  return true;
}

/// Writes a real of at most six decimal places and fifteen digits, as most of those that people
/// measure and charge are, and returns the end; null for any other. With so few digits there is one
/// shortest text, and dividing tells whether it reads back as the same number.
char* write_short_decimal(double value, char* out) {
  constexpr std::uint64_t places = 6;
  constexpr std::uint64_t scale = 1'000'000;
  const double magnitude = std::abs(value);
  if (magnitude >= 1e9) return nullptr;
  // A wrong last digit would be seen below. NOLINTNEXTLINE(bugprone-incorrect-roundings)
  const auto scaled = static_cast<std::uint64_t>(magnitude * scale + 0.5);
  if (static_cast<double>(scaled) / scale != magnitude) return nullptr;

  if (std::signbit(value)) *out++ = '-';
  out = std::to_chars(out, out + number_bytes_max, scaled / scale).ptr;
  *out = '.';
  std::uint64_t fraction = scaled % scale;
  for (std::uint64_t place = places; place > 0; --place) {
    out[place] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  out += places;
  while (out[0] == '0' && out[-1] != '.') --out;
  return out + 1;
}

template <typename Real>
char* write_shortest(Real value, char* out) {
  char* end = std::to_chars(out, out + number_bytes_max, value).ptr;
  const bool is_whole = std::none_of(out, end, [](char c) { return c == '.' || c == 'e'; });
  if (!is_whole) return end;
  *end++ = '.';
  *end++ = '0';
  return end;
}

}  // namespace

JsonWriter::JsonWriter()
    : begin_(std::make_unique_for_overwrite<char[]>(buffer_bytes_min)),
      at_(begin_.get()),
      end_(at_ + buffer_bytes_min) {}

void JsonWriter::clear() {
  if (static_cast<std::size_t>(end_ - begin_.get()) > buffer_bytes_kept_max) *this = JsonWriter();
  at_ = begin_.get();
}

void JsonWriter::grow(std::size_t size) {
  const std::size_t used = this->size();
  const std::size_t capacity =
      std::max(2 * static_cast<std::size_t>(end_ - begin_.get()), used + size);
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  std::memcpy(larger.get(), begin_.get(), used);
  begin_ = std::move(larger);
  at_ = begin_.get() + used;
  end_ = begin_.get() + capacity;
}

void JsonWriter::string(std::string_view text) {
  reserve(text.size() + 2);
  at_[0] = '"';
  if (copy_plain(text, at_ + 1)) {
    at_ += text.size() + 2;
    at_[-1] = '"';
  } else {
    escaped_string(text);
  }
}

void JsonWriter::name(std::string_view text, bool is_first) {
  reserve(text.size() + 4);
  char* at = at_;
  if (!is_first) *at++ = ',';
  *at++ = '"';
  if (copy_plain(text, at)) {
    at += text.size();
    at[0] = '"';
    at[1] = ':';
    at_ = at + 2;
  } else {
    if (!is_first) put(',');
    escaped_string(text);
    put(':');
  }
}

void JsonWriter::escaped_string(std::string_view text) {
  put('"');
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    raw(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return put('"');
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) {
      escape(lead);
      text.remove_prefix(1);
    } else {
      const proto::Utf8Sequence sequence = proto::first_sequence(text);
      raw(sequence.is_valid ? text.substr(0, sequence.size) : proto::replacement_character);
      text.remove_prefix(sequence.size);
    }
  }
}

void JsonWriter::escape(unsigned char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr std::string_view with_letter = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  const std::size_t row = with_letter.find(static_cast<char>(c));
  if (row != std::string_view::npos) {
    raw({std::array{'\\', letters[row]}.data(), 2});
  } else {
    raw({std::array{'\\', 'u', '0', '0', digits[c >> 4U], digits[c & 0x0fU]}.data(), 6});
  }
}

void JsonWriter::unsigned_integer(std::uint64_t value) {
  reserve(number_bytes_max);
  at_ = std::to_chars(at_, at_ + number_bytes_max, value).ptr;
}

void JsonWriter::signed_integer(std::int64_t value) {
  reserve(number_bytes_max);
  at_ = std::to_chars(at_, at_ + number_bytes_max, value).ptr;
}

void JsonWriter::real(double value) {
  if (!std::isfinite(value)) return raw("null");
  reserve(number_bytes_max);
  char* end = write_short_decimal(value, at_);
  at_ = end != nullptr ? end : write_shortest(value, at_);
}

void JsonWriter::real(float value) {
  if (!std::isfinite(value)) return raw("null");
  reserve(number_bytes_max);
  at_ = write_shortest(value, at_);
}

void JsonWriter::base64(proto::ByteView bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  reserve((bytes.size() + 2) / 3 * 4);
  const auto put_group = [&](std::uint32_t group, std::size_t digit_count) {
    for (std::size_t i = 0; i < 4; ++i) {
      *at_++ = i < digit_count ? digits[(group >> (18U - 6U * i)) & 0x3fU] : '=';
    }
  };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    put_group(bytes[i] << 16U | bytes[i + 1] << 8U | bytes[i + 2], 4);
  }
  if (bytes.size() - i == 1) put_group(bytes[i] << 16U, 2);
  if (bytes.size() - i == 2) put_group(bytes[i] << 16U | bytes[i + 1] << 8U, 3);
}

}  // namespace outrider::sidecar
