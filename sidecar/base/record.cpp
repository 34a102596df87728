#include "sidecar/base/record.hpp"

#include <cstddef>
#include <cstring>

namespace outrider::sidecar {
namespace {

constexpr std::uint64_t ms_in_ns = 1'000'000;

void append(std::uint8_t*& out, const void* from, std::size_t size) {
  if (size != 0) std::memcpy(out, from, size);
  out += size;
}

/// When the event is too old to be sent. Its age on arrival is told by the wall clock, all that
/// comes after by the monotonic one.
MonoTime expiry(std::uint64_t time_ns, std::uint64_t ttl_ms, const Now& arrived) {
  const std::uint64_t arrived_ns = arrived.wall_ns();
  const std::uint64_t age_ns = arrived_ns > time_ns ? arrived_ns - time_ns : 0;
  const auto left_max_ns = static_cast<std::uint64_t>((never - arrived.mono).count()) - 1;
  if (ttl_ms > left_max_ns / ms_in_ns) return never;
  const std::uint64_t ttl_ns = ttl_ms * ms_in_ns;
  if (age_ns >= ttl_ns) return arrived.mono;
  return arrived.mono + Duration(static_cast<Duration::rep>(ttl_ns - age_ns));
}

proto::ByteView id_of(const proto::EventView& event, const RecordContext& context) {
  return event.attributes.id.empty() ? context.id : event.attributes.id;
}

}  // namespace

std::size_t record_bytes(const proto::EventView& event, const RecordContext& context) {
  return sizeof(RecordHead) + id_of(event, context).size() + event.topic.size() +
         event.attributes.key.size() + event.attributes.trace.size() + context.host.size() +
         (event.attributes.ttl_ms != 0 ? sizeof(MonoTime) : 0) + event.data.size();
}

void write_record(const proto::EventView& event, const RecordContext& context, std::uint8_t* out) {
  const proto::Attributes& attributes = event.attributes;
  const proto::ByteView id = id_of(event, context);
  RecordHead head;
  head.record_bytes = static_cast<std::uint32_t>(record_bytes(event, context));
  head.id_bytes = static_cast<std::uint8_t>(id.size());
  head.topic_bytes = static_cast<std::uint8_t>(event.topic.size());
  head.key_bytes = static_cast<std::uint8_t>(attributes.key.size());
  head.trace_bytes = static_cast<std::uint8_t>(attributes.trace.size());
  head.host_bytes = static_cast<std::uint8_t>(context.host.size());
  head.priority = static_cast<std::uint8_t>(attributes.priority);
  head.id_is_text = attributes.id_is_text ? 1 : 0;
  head.has_expiry = attributes.ttl_ms != 0 ? 1 : 0;
  head.time_ns = event.time_ns != 0 ? event.time_ns : context.arrived.wall_ns();

  append(out, &head, sizeof head);
  append(out, id.data(), id.size());
  append(out, event.topic.data(), event.topic.size());
  append(out, attributes.key.data(), attributes.key.size());
  append(out, attributes.trace.data(), attributes.trace.size());
  append(out, context.host.data(), context.host.size());
  if (head.has_expiry != 0) {
    const MonoTime expires_at = expiry(head.time_ns, attributes.ttl_ms, context.arrived);
    append(out, &expires_at, sizeof expires_at);
  }
  append(out, event.data.data(), event.data.size());
}

std::size_t record_bytes_at(const std::uint8_t* at) {
  std::uint32_t size;
  std::memcpy(&size, at, sizeof size);
  return size;
}

proto::Priority record_priority_at(const std::uint8_t* at) {
  return static_cast<proto::Priority>(at[offsetof(RecordHead, priority)]);
}

RecordView read_record(const std::uint8_t* at) {
  RecordHead head;
  std::memcpy(&head, at, sizeof head);
  RecordView view;
  view.bytes = {at, head.record_bytes};
  const std::uint8_t* end = at + head.record_bytes;
  at += sizeof head;
  const auto take = [&](std::size_t size) {
    const proto::ByteView part(at, size);
    at += size;
    return part;
  };
  view.id = take(head.id_bytes);
  view.id_is_text = head.id_is_text != 0;
  view.topic = proto::as_text(take(head.topic_bytes));
  view.key = proto::as_text(take(head.key_bytes));
  view.trace = proto::as_text(take(head.trace_bytes));
  view.host = proto::as_text(take(head.host_bytes));
  if (head.has_expiry != 0) {
    std::memcpy(&view.expires_at, take(sizeof(MonoTime)).data(), sizeof(MonoTime));
  }
  view.time_ns = head.time_ns;
  view.priority = static_cast<proto::Priority>(head.priority);
  view.data = {at, static_cast<std::size_t>(end - at)};
  return view;
}

std::string_view id_text(const RecordView& record, IdSpace& space) {
  if (record.id_is_text) return proto::as_text(record.id);
  write_uuid_text(record.id, space.data());
  return {space.data(), space.size()};
}

}  // namespace outrider::sidecar
