#include "sidecar/encode/json_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "proto/utf8.hpp"
#include "sidecar/encode/json_text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t buffer_bytes_min = 4096;
constexpr std::size_t buffer_bytes_kept_max = 256 * 1024;

using json_text::block_bytes;
using json_text::number_bytes_max;

std::size_t plain_prefix(std::string_view text) {
  std::size_t at = 0;
  for (json_text::Block block; at + block_bytes <= text.size(); at += block_bytes) {
    std::memcpy(&block, text.data() + at, block_bytes);
    if (json_text::special_bits(block) != 0) break;
  }
  while (at < text.size() && !json_text::is_special(text[at])) ++at;
  return at;
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
  if (json_text::copy_plain(text, at_ + 1)) {
    at_ += text.size() + 2;
    at_[-1] = '"';
  } else {
    escaped_string(text);
  }
}

void JsonWriter::name(std::string_view text, bool is_first) {
  if (!is_first) put(',');
  string(text);
  put(':');
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
  at_ = json_text::put_unsigned(value, room(number_bytes_max));
}

void JsonWriter::signed_integer(std::int64_t value) {
  at_ = json_text::put_signed(value, room(number_bytes_max));
}

void JsonWriter::real(double value) {
  if (!std::isfinite(value)) return raw("null");
  reserve(number_bytes_max);
  char* end = json_text::put_short_decimal(value, at_);
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
