#include "sidecar/encode/json_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <rapidjson/internal/dtoa.h>
#include <rapidjson/internal/itoa.h>

#include "proto/utf8.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t buffer_bytes_min = 4096;
constexpr std::size_t buffer_bytes_kept_max = 256 * 1024;
constexpr std::size_t number_bytes_max = 32;

constexpr std::uint64_t repeat(std::uint8_t byte) {
  return 0x0101010101010101U * byte;
}

std::uint64_t load(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Whether one of the eight bytes cannot stand in a JSON string as it is: a control byte, a quote,
/// a backslash, or part of a character beyond ASCII, which has to be checked.
bool has_special(std::uint64_t word) {
  const std::uint64_t quote = word ^ repeat('"');
  const std::uint64_t backslash = word ^ repeat('\\');
  const std::uint64_t below = (word - repeat(0x20)) | (quote - repeat(1)) | (backslash - repeat(1));
  return ((below | word) & repeat(0x80)) != 0;
}

bool is_special(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
}

std::size_t plain_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at + 8 <= text.size() && !has_special(load(text.data() + at))) at += 8;
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

/// Copies a text without anything special; false as soon as there is something. Ends that are no
/// whole word are read and written once more together with the bytes before them.
bool copy_plain(std::string_view text, char* out) {
  const char* from = text.data();
  const std::size_t size = text.size();
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      if (is_special(from[i])) return false;
      out[i] = from[i];
    }
    return true;
  }
  for (std::size_t at = 0; at + 8 < size; at += 8) {
    const std::uint64_t word = load(from + at);
    if (has_special(word)) return false;
    std::memcpy(out + at, &word, sizeof word);
  }
  const std::uint64_t last = load(from + size - 8);
  std::memcpy(out + size - 8, &last, sizeof last);
  return !has_special(last);
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
  *at_ = '"';
  if (copy_plain(text, at_ + 1)) {
    at_ += text.size() + 2;
    at_[-1] = '"';
    return;
  }
  ++at_;
  escaped(text);
  put('"');
}

void JsonWriter::escaped(std::string_view text) {
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    raw(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
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
  at_ = rapidjson::internal::u64toa(value, at_);
}

void JsonWriter::signed_integer(std::int64_t value) {
  reserve(number_bytes_max);
  at_ = rapidjson::internal::i64toa(value, at_);
}

void JsonWriter::real(double value) {
  if (!std::isfinite(value)) return raw("null");
  reserve(number_bytes_max);
  at_ = rapidjson::internal::dtoa(value, at_);
}

void JsonWriter::real(float value) {
  if (!std::isfinite(value)) return raw("null");
  reserve(number_bytes_max);
  char* begin = at_;
  at_ = std::to_chars(at_, at_ + number_bytes_max, value).ptr;
  const bool is_whole = std::none_of(begin, at_, [](char c) { return c == '.' || c == 'e'; });
  if (is_whole) raw(".0");
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
