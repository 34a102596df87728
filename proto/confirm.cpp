#include "proto/confirm.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include <msgpack.hpp>

#include "proto/msgpack_reader.hpp"

namespace outrider::proto {
namespace {

constexpr std::uint64_t answer_version = 1;
constexpr std::string_view answer_mark = "c";
constexpr std::uint32_t elements_min = 4;

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

}  // namespace

std::string write_confirm_answer(const ConfirmAnswer& answer) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  packer.pack_array(answer.refused.empty() ? elements_min : elements_min + 1);
  packer.pack_uint64(answer_version);
  packer.pack_str(static_cast<std::uint32_t>(answer_mark.size()));
  packer.pack_str_body(answer_mark.data(), static_cast<std::uint32_t>(answer_mark.size()));
  packer.pack_uint64(answer.sequence);
  packer.pack_uint64(answer.status);
  if (!answer.refused.empty()) {
    packer.pack_map(static_cast<std::uint32_t>(answer.refused.size()));
    for (const RefusedEvent& event : answer.refused) {
      packer.pack_uint32(event.index);
      packer.pack_uint32(event.refusal);
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
  return reader.skip_values(further) == ReadStatus::ok && reader.at_end();
}

}  // namespace outrider::proto
