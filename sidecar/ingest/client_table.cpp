#include "sidecar/ingest/client_table.hpp"

#include <algorithm>
#include <cstring>

#include "proto/topic.hpp"

namespace outrider::sidecar {
namespace {

/// Further reasons in one header are counted under "other", without reading their names.
constexpr std::size_t names_per_frame_max = 256;

/// Up to the largest number, and never around it.
void add(std::uint64_t& total, std::uint64_t events) {
  total = events > UINT64_MAX - total ? UINT64_MAX : total + events;
}

/// The entry of that name, or "other" when there are too many names.
ClientDrops::value_type& entry(ClientDrops& drops, std::string_view reason) {
  constexpr std::string_view other = "other";
  const auto found = drops.find(reason);
  if (found != drops.end()) return *found;
  const std::size_t names = drops.size() - (drops.contains(other) ? 1 : 0);
  const bool is_known_kind = names < ClientTable::reasons_max && proto::is_valid_topic(reason) &&
                             reason.size() <= ClientTable::reason_bytes_max;
  return *drops.try_emplace(std::string(is_known_kind ? reason : other)).first;
}

}  // namespace

std::size_t ClientTable::Hash::operator()(const ClientId& id) const {
  std::uint64_t words[2];
  static_assert(sizeof words == sizeof id);
  std::memcpy(words, id.data(), sizeof words);
  return Random(Random(seed_ ^ words[0]).next() ^ words[1]).next();
}

void ClientTable::note(const proto::FrameHeader& header, const Now& now) {
  if (header.client_id.empty()) return;
  note_drops(heard(header, now), header.drops);
}

void ClientTable::note_refused(const proto::FrameHeader& header, const Now& now) {
  if (header.client_id.size() == proto::client_id_bytes && header.sequence > 0) heard(header, now);
}

ClientTable::Client& ClientTable::heard(const proto::FrameHeader& header, const Now& now) {
  ClientId id;
  std::copy(header.client_id.begin(), header.client_id.end(), id.begin());

  const auto found = clients_.find(id);
  if (found == clients_.end()) {
    if (clients_.size() >= clients_max) forget_one(now);
    // Frames before the first one we see went to a sidecar before us: none of them is missing.
    by_last_frame_.push_front({id, header.sequence, now.mono, {}});
    clients_.emplace(id, by_last_frame_.begin());
    newest_.push_back(id);
  } else {
    by_last_frame_.splice(by_last_frame_.begin(), by_last_frame_, found->second);
  }
  Client& client = by_last_frame_.front();
  client.heard_at = now.mono;
  if (header.sequence > client.sequence) {
    const std::uint64_t missing = header.sequence - client.sequence - 1;
    add(frames_missing_, missing);
    if (missing > 0) ++news_;
    client.sequence = header.sequence;
  }
  return client;
}

void ClientTable::forget_one(const Now& now) {
  auto gone = std::prev(by_last_frame_.end());
  if (now.mono - gone->heard_at >= silence_min) {
    std::erase(newest_, gone->id);
  } else {
    gone = clients_.at(newest_.back());
    newest_.pop_back();
  }
  clients_.erase(gone->id);
  by_last_frame_.erase(gone);
}

void ClientTable::note_drops(Client& client, proto::ByteView drops) {
  // By the known names of this client, because its reports are compared with them.
  ClientDrops reported;
  std::uint64_t others = 0;
  std::size_t names = 0;
  proto::for_each_drop(drops, [&](std::string_view reason, std::uint64_t events) {
    if (++names > names_per_frame_max) return add(others, events);
    add(reported[entry(client.drops, reason).first], events);
  });
  if (others > 0) add(reported[entry(client.drops, {}).first], others);
  for (const auto& [reason, events] : reported) {
    std::uint64_t& known = client.drops.find(reason)->second;
    if (events <= known) continue;
    add(entry(drops_, reason).second, events - known);
    ++news_;
    known = events;
  }
}

std::size_t ClientTable::reason_count() const {
  std::size_t count = drops_.size();
  for (const Client& client : by_last_frame_) count += client.drops.size();
  return count;
}

}  // namespace outrider::sidecar
