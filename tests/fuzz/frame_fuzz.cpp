// Any bytes as a frame: the reader must not read outside them, and what it takes must keep its
// promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "proto/frame_reader.hpp"
#include "proto/topic.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outrider::proto;
  FrameReader reader({.frame_bytes_max = 4096, .event_bytes_max = 1024});
  const Refusal refusal = reader.open({data, size});
  require(refusal == Refusal::none || reader.event_count() == 0);
  for (std::size_t left = reader.event_count(); left > 0; --left) {
    EventView event;
    if (reader.next(event) != Refusal::none) continue;
    require(is_valid_topic(event.topic));
    require(event.attributes.id.size() <= id_text_bytes_max);
    MsgpackReader value(event.data);
    require(value.skip_value() == ReadStatus::ok && value.at_end());
  }
  for_each_drop(reader.header().drops, [](std::string_view, std::uint64_t) {});
  return 0;
}
