#include "proto/confirm.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include <msgpack.hpp>

#include "proto/msgpack_reader.hpp"
#include "proto/topic.hpp"

namespace outrider::proto {
namespace {

constexpr std::uint64_t answer_version = 1;
constexpr std::string_view answer_mark = "c";
constexpr std::uint32_t elements_min = 4;
constexpr std::string_view frame_limit_key = "f";
constexpr std::string_view event_limit_key = "e";
constexpr std::string_view full_key = "x";

bool next_is(MsgpackReader& reader, TokenType type, Token& token) {
  return reader.next(token) == ReadStatus::ok && token.type == type;
}

bool read_uint(MsgpackReader& reader, std::uint64_t max, std::uint64_t& value) {
  Token token;
  if (!next_is(reader, TokenType::uint, token) || token.uint > max) return false;
  value = token.uint;
  return true;
}

bool read_refused(MsgpackReader& reader, std::size_t bytes_left,
                  std::vector<RefusedEvent>& refused) {
  constexpr std::uint64_t number_max = std::numeric_limits<std::uint32_t>::max();
  Token map;
  if (!next_is(reader, TokenType::map, map) || map.count > bytes_left / 2) return false;
  refused.reserve(map.count);
  for (std::uint32_t left = map.count; left > 0; --left) {
    std::uint64_t index;
    std::uint64_t refusal;
    if (!read_uint(reader, number_max, index) || !read_uint(reader, number_max, refusal) ||
        refusal == 0) {
      return false;
    }
    refused.push_back({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(refusal)});
  }
  std::ranges::sort(refused, {}, &RefusedEvent::index);
  return std::ranges::adjacent_find(refused, {}, &RefusedEvent::index) == refused.end();
}

bool read_patterns(MsgpackReader& reader, std::vector<std::string>& patterns) {
  Token array;
  if (!next_is(reader, TokenType::array, array)) return false;
  for (std::uint32_t left = array.count; left > 0; --left) {
    Token pattern;
    if (!next_is(reader, TokenType::str, pattern)) return false;
    if (!is_valid_pattern(as_text(pattern.bytes))) return false;
    patterns.emplace_back(as_text(pattern.bytes));
  }
  return true;
}

/// [[topics, exclude], ...]; nothing where it is anything else.
std::vector<TopicSet> read_full(MsgpackReader reader) {
  std::vector<TopicSet> full;
  Token array;
  if (!next_is(reader, TokenType::array, array)) return {};
  for (std::uint32_t left = array.count; left > 0; --left) {
    Token pair;
    TopicSet& set = full.emplace_back();
    if (!next_is(reader, TokenType::array, pair) || pair.count != 2) return {};
    if (!read_patterns(reader, set.topics) || !read_patterns(reader, set.exclude)) return {};
  }
  return full;
}

/// Says nothing where the value is of another kind: it may be of a later version.
bool read_said(MsgpackReader& reader, ConfirmAnswer& answer) {
  MsgpackReader peek = reader;
  if (reader.skip_values(1) != ReadStatus::ok) return false;
  Token map;
  if (!next_is(peek, TokenType::map, map)) return true;
  for (std::uint32_t left = map.count; left > 0; --left) {
    MsgpackReader key_reader = peek;
    if (peek.skip_value() != ReadStatus::ok) return false;
    MsgpackReader value_reader = peek;
    if (peek.skip_value() != ReadStatus::ok) return false;
    Token key;
    Token value;
    if (!next_is(key_reader, TokenType::str, key)) continue;
    if (as_text(key.bytes) == full_key) answer.full = read_full(value_reader);
    if (!next_is(value_reader, TokenType::uint, value)) continue;
    if (as_text(key.bytes) == frame_limit_key) answer.limits.frame_bytes_max = value.uint;
    if (as_text(key.bytes) == event_limit_key) answer.limits.event_bytes_max = value.uint;
  }
  return true;
}

void pack_text(msgpack::packer<msgpack::sbuffer>& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void pack_patterns(msgpack::packer<msgpack::sbuffer>& packer,
                   const std::vector<std::string>& patterns) {
  packer.pack_array(static_cast<std::uint32_t>(patterns.size()));
  for (const std::string& pattern : patterns) pack_text(packer, pattern);
}

/// How many of the destinations fit into an answer.
std::size_t said_count(const std::vector<TopicSet>& full) {
  std::size_t bytes = 0;
  const auto takes_too_much = [&](const TopicSet& set) {
    for (const auto* const patterns : {&set.topics, &set.exclude}) {
      for (const std::string& pattern : *patterns) bytes += pattern.size() + 3;
    }
    return (bytes += 7) > said_patterns_bytes_max;
  };
  return static_cast<std::size_t>(std::ranges::find_if(full, takes_too_much) - full.begin());
}

}  // namespace

bool TopicSet::holds(std::string_view topic) const {
  const auto is_of_it = [&](const std::string& pattern) { return matches(pattern, topic); };
  return std::ranges::any_of(topics, is_of_it) && std::ranges::none_of(exclude, is_of_it);
}

std::string write_confirm_answer(const ConfirmAnswer& answer) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  const std::size_t full = said_count(answer.full);
  const bool says_more = answer.limits != SaidLimits{} || full > 0;
  const std::uint32_t further = says_more ? 2 : answer.refused.empty() ? 0 : 1;
  packer.pack_array(elements_min + further);
  packer.pack_uint64(answer_version);
  pack_text(packer, answer_mark);
  packer.pack_uint64(answer.sequence);
  packer.pack_uint64(answer.status);
  if (further > 0) {
    packer.pack_map(static_cast<std::uint32_t>(answer.refused.size()));
    for (const RefusedEvent& event : answer.refused) {
      packer.pack_uint32(event.index);
      packer.pack_uint32(event.refusal);
    }
  }
  if (says_more) {
    packer.pack_map(full > 0 ? 3 : 2);
    pack_text(packer, frame_limit_key);
    packer.pack_uint64(answer.limits.frame_bytes_max);
    pack_text(packer, event_limit_key);
    packer.pack_uint64(answer.limits.event_bytes_max);
    if (full > 0) {
      pack_text(packer, full_key);
      packer.pack_array(static_cast<std::uint32_t>(full));
    }
    for (std::size_t i = 0; i < full; ++i) {
      packer.pack_array(2);
      pack_patterns(packer, answer.full[i].topics);
      pack_patterns(packer, answer.full[i].exclude);
    }
  }
  return {buffer.data(), buffer.size()};
}

bool read_confirm_answer(ByteView bytes, ConfirmAnswer& answer) {
  constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
  MsgpackReader reader(bytes);
  Token array;
  Token mark;
  std::uint64_t version;
  answer = {};
  if (!next_is(reader, TokenType::array, array) || array.count < elements_min) return false;
  if (!read_uint(reader, any, version) || version != answer_version) return false;
  if (!next_is(reader, TokenType::str, mark) || as_text(mark.bytes) != answer_mark) return false;
  if (!read_uint(reader, any, answer.sequence) || answer.sequence == 0) return false;
  if (!read_uint(reader, any, answer.status)) return false;
  std::uint32_t further = array.count - elements_min;
  if (further > 0) {
    if (!read_refused(reader, bytes.size() - reader.offset(), answer.refused)) return false;
    --further;
  }
  if (further > 0) {
    if (!read_said(reader, answer)) return false;
    --further;
  }
  return reader.skip_values(further) == ReadStatus::ok && reader.at_end();
}

}  // namespace outrider::proto
