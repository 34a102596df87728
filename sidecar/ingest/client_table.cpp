#include "sidecar/ingest/client_table.hpp"

#include <algorithm>
#include <cstring>

#include "proto/topic.hpp"

namespace outrider::sidecar {
namespace {

/// Adds to the entry of that name, or to "other" when there are too many names.
std::uint64_t& entry(ClientDrops& drops, std::string_view reason) {
  const auto found = drops.find(reason);
  if (found != drops.end()) return found->second;
  const bool is_known_kind = drops.size() < ClientTable::reasons_max &&
                             proto::is_valid_topic(reason) &&
                             reason.size() <= ClientTable::reason_bytes_max;
  return drops[std::string(is_known_kind ? reason : std::string_view("other"))];
}

}  // namespace

std::size_t ClientTable::Hash::operator()(const ClientId& id) const {
  std::size_t hash;  // ids are random: any part of them is a hash
  std::memcpy(&hash, id.data(), sizeof hash);
  return hash;
}

void ClientTable::note(const proto::FrameHeader& header) {
  if (header.client_id.empty()) return;
  ClientId id;
  std::copy(header.client_id.begin(), header.client_id.end(), id.begin());

  const auto found = clients_.find(id);
  if (found == clients_.end()) {
    if (clients_.size() >= clients_max) {
      clients_.erase(by_last_frame_.back().id);
      by_last_frame_.pop_back();
    }
    // Frames before the first one we see went to a sidecar before us: none of them is missing.
    by_last_frame_.push_front({id, header.sequence, {}});
    clients_.emplace(id, by_last_frame_.begin());
  } else {
    by_last_frame_.splice(by_last_frame_.begin(), by_last_frame_, found->second);
  }
  Client& client = by_last_frame_.front();
  if (header.sequence > client.sequence) {
    frames_missing_ += header.sequence - client.sequence - 1;
    client.sequence = header.sequence;
  }
  note_drops(client, header.drops);
}

void ClientTable::note_drops(Client& client, proto::ByteView drops) {
  ClientDrops reported;
  proto::for_each_drop(drops, [&](std::string_view reason, std::uint64_t events) {
    entry(reported, reason) += events;
  });
  for (const auto& [reason, events] : reported) {
    std::uint64_t& known = client.drops[reason];
    if (events <= known) continue;
    entry(drops_, reason) += events - known;
    known = events;
  }
}

}  // namespace outrider::sidecar
