// ClientTable: what the frame headers of the clients add up to.
//
// Used by IngestAgent. A client numbers its frames and reports what it had to drop since it
// started; the table turns both into totals: frames that were lost on the way, and drops by reason.
// Thread: one table, one thread. Limits: remembers clients_max clients; beyond that the one that
// was silent for longest is forgotten, and what it has reported stays in the totals.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <unordered_map>

#include "proto/frame_reader.hpp"

namespace outrider::sidecar {

using ClientDrops = std::map<std::string, std::uint64_t, std::less<>>;

class ClientTable {
 public:
  static constexpr std::size_t clients_max = 16'384;
  /// Reasons beyond this are added up under "other": a client cannot fill our memory with names.
  static constexpr std::size_t reasons_max = 32;
  /// So are names that are longer, or are not made like a topic.
  static constexpr std::size_t reason_bytes_max = 64;

  /// Takes note of a checked frame's header; one without a client id says nothing.
  void note(const proto::FrameHeader& header);

  /// Events that the clients say they dropped, by reason.
  const ClientDrops& drops() const { return drops_; }

  /// Frames that clients have numbered and that never came.
  std::uint64_t frames_missing() const { return frames_missing_; }

  std::size_t client_count() const { return clients_.size(); }

 private:
  using ClientId = std::array<std::uint8_t, proto::client_id_bytes>;
  struct Hash {
    std::size_t operator()(const ClientId& id) const;
  };
  struct Client {
    ClientId id;
    std::uint64_t sequence;
    ClientDrops drops;
  };

  void note_drops(Client& client, proto::ByteView drops);

  std::list<Client> by_last_frame_;  ///< the one heard last is in front
  std::unordered_map<ClientId, std::list<Client>::iterator, Hash> clients_;
  ClientDrops drops_;
  std::uint64_t frames_missing_ = 0;
};

}  // namespace outrider::sidecar
