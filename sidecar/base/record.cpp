#include "sidecar/base/record.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace outrider::sidecar {
namespace {

constexpr std::uint64_t ms_in_ns = 1'000'000;

constexpr std::uint8_t flag_id_is_text = 1;
constexpr std::uint8_t flag_expiry = 2;
constexpr std::uint8_t flag_origin = 4;
constexpr std::uint8_t flag_evicted = 8;
/// Behind the head, and the same in memory and on disk.
constexpr std::size_t expiry_bytes = sizeof(MonoTime);
static_assert(sizeof(MonoTime) == sizeof(WallTime));

void append(std::uint8_t*& out, const void* from, std::size_t size) {
  if (size != 0) std::memcpy(out, from, size);
  out += size;
}

/// When the event is too old to be sent. The wall clock gives its age on arrival, the monotonic
/// clock the time after that.
MonoTime expiry(std::uint64_t time_ns, std::uint64_t ttl_ms, const Now& arrived) {
  const std::uint64_t arrived_ns = arrived.wall_ns();
  const std::uint64_t age_ns = arrived_ns > time_ns ? arrived_ns - time_ns : 0;
  const auto left_max_ns = static_cast<std::uint64_t>((never - arrived.mono).count()) - 1;
  if (ttl_ms > left_max_ns / ms_in_ns) return never;
  const std::uint64_t ttl_ns = ttl_ms * ms_in_ns;
  if (age_ns >= ttl_ns) return arrived.mono;
  return arrived.mono + Duration(static_cast<Duration::rep>(ttl_ns - age_ns));
}

/// The same instant on the other clock. An instant out of its range is never.
WallTime by_wall_clock(MonoTime at, const Now& now) {
  const Duration left = at - now.mono;
  return left > WallTime::max() - now.wall ? WallTime::max() : now.wall + left;
}

MonoTime by_mono_clock(WallTime at, const Now& now) {
  const Duration left = std::max(at - now.wall, Duration::zero());
  return left > never - now.mono ? never : now.mono + left;
}

proto::ByteView id_of(const proto::EventView& event, const RecordContext& context) {
  return event.attributes.id.empty() ? context.id : event.attributes.id;
}

}  // namespace

std::size_t record_bytes(const proto::EventView& event, const RecordContext& context) {
  return sizeof(RecordHead) + id_of(event, context).size() + event.topic.size() +
         event.attributes.key.size() + event.attributes.trace.size() + context.host.size() +
         (event.attributes.ttl_ms != 0 ? expiry_bytes : 0) + event.data.size();
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
  head.flags = 0;
  if (attributes.id_is_text) head.flags |= flag_id_is_text;
  if (attributes.ttl_ms != 0) head.flags |= flag_expiry;
  head.time_ns = event.time_ns != 0 ? event.time_ns : context.arrived.wall_ns();

  append(out, &head, sizeof head);
  if ((head.flags & flag_expiry) != 0) {
    const MonoTime expires_at = expiry(head.time_ns, attributes.ttl_ms, context.arrived);
    append(out, &expires_at, sizeof expires_at);
  }
  append(out, id.data(), id.size());
  append(out, event.topic.data(), event.topic.size());
  append(out, attributes.key.data(), attributes.key.size());
  append(out, attributes.trace.data(), attributes.trace.size());
  append(out, context.host.data(), context.host.size());
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

bool has_record_origin_at(const std::uint8_t* at) {
  return (at[offsetof(RecordHead, flags)] & flag_origin) != 0;
}

void mark_record_evicted(std::uint8_t* at) {
  at[offsetof(RecordHead, flags)] |= flag_evicted;
}

bool is_record_evicted_at(const std::uint8_t* at) {
  return (at[offsetof(RecordHead, flags)] & flag_evicted) != 0;
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
  if ((head.flags & flag_expiry) != 0) {
    std::memcpy(&view.expires_at, take(expiry_bytes).data(), expiry_bytes);
  }
  if ((head.flags & flag_origin) != 0) {
    RecordOrigin origin;
    std::memcpy(&origin, take(sizeof origin).data(), sizeof origin);
    view.origin = origin;
  }
  view.id = take(head.id_bytes);
  view.id_is_text = (head.flags & flag_id_is_text) != 0;
  view.topic = proto::as_text(take(head.topic_bytes));
  view.key = proto::as_text(take(head.key_bytes));
  view.trace = proto::as_text(take(head.trace_bytes));
  view.host = proto::as_text(take(head.host_bytes));
  view.time_ns = head.time_ns;
  view.priority = static_cast<proto::Priority>(head.priority);
  view.data = {at, static_cast<std::size_t>(end - at)};
  return view;
}

std::size_t stored_record_bytes(const RecordView& record) {
  return record.bytes.size() - (record.origin ? sizeof(RecordOrigin) : 0);
}

void write_stored_record(const RecordView& record, const Now& now, std::uint8_t* out) {
  RecordHead head;
  std::memcpy(&head, record.bytes.data(), sizeof head);
  head.record_bytes = static_cast<std::uint32_t>(stored_record_bytes(record));
  head.flags &= static_cast<std::uint8_t>(~flag_origin);
  const std::uint8_t* rest = record.bytes.data() + sizeof head;
  append(out, &head, sizeof head);
  if ((head.flags & flag_expiry) != 0) {
    const WallTime expires_at = by_wall_clock(record.expires_at, now);
    append(out, &expires_at, expiry_bytes);
    rest += expiry_bytes;
  }
  if (record.origin) rest += sizeof(RecordOrigin);
  const std::uint8_t* end = record.bytes.data() + record.bytes.size();
  append(out, rest, static_cast<std::size_t>(end - rest));
}

std::size_t restored_record_bytes(proto::ByteView stored, bool with_origin) {
  return stored.size() + (with_origin ? sizeof(RecordOrigin) : 0);
}

void restore_record(proto::ByteView stored, const std::optional<RecordOrigin>& origin,
                    const Now& now, std::uint8_t* out) {
  RecordHead head;
  std::memcpy(&head, stored.data(), sizeof head);
  head.record_bytes = static_cast<std::uint32_t>(restored_record_bytes(stored, origin.has_value()));
  if (origin) head.flags |= flag_origin;
  const std::uint8_t* rest = stored.data() + sizeof head;
  append(out, &head, sizeof head);
  if ((head.flags & flag_expiry) != 0) {
    WallTime expires_at;
    std::memcpy(&expires_at, rest, expiry_bytes);
    rest += expiry_bytes;
    const MonoTime by_mono = by_mono_clock(expires_at, now);
    append(out, &by_mono, expiry_bytes);
  }
  if (origin) append(out, &*origin, sizeof *origin);
  const std::uint8_t* end = stored.data() + stored.size();
  append(out, rest, static_cast<std::size_t>(end - rest));
}

std::size_t sound_record_bytes(proto::ByteView stored) {
  RecordHead head;
  if (stored.size() < sizeof head) return 0;
  std::memcpy(&head, stored.data(), sizeof head);
  const std::size_t known_bytes = sizeof head + head.id_bytes + head.topic_bytes + head.key_bytes +
                                  head.trace_bytes + head.host_bytes +
                                  ((head.flags & flag_expiry) != 0 ? expiry_bytes : 0);
  const bool is_sound = head.record_bytes > known_bytes && head.record_bytes <= stored.size() &&
                        (head.flags & ~(flag_id_is_text | flag_expiry)) == 0 &&
                        head.priority <= static_cast<std::uint8_t>(proto::Priority::high) &&
                        ((head.flags & flag_id_is_text) != 0
                             ? head.id_bytes > 0 && head.id_bytes <= proto::id_text_bytes_max
                             : head.id_bytes == proto::id_binary_bytes);
  return is_sound ? head.record_bytes : 0;
}

std::string_view id_text(const RecordView& record, IdSpace& space) {
  if (record.id_is_text) return proto::as_text(record.id);
  write_uuid_text(record.id, space.data());
  return {space.data(), space.size()};
}

}  // namespace outrider::sidecar
