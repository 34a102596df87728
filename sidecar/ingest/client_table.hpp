// ClientTable: the totals of the clients' frame headers.
//
// Used by IngestAgent. A client numbers its frames and reports what it had to drop since it
// started; the table turns both into totals: frames that were lost on the way, and drops by reason.
// Thread: one table, one thread. Limits: remembers clients_max clients, and reasons_max drop
// reasons of each and of all. Beyond that it forgets the client that has been silent longest, if
// for at least silence_min; otherwise the newest one, so that a flood of new clients does not
// displace older ones. The reports of a forgotten client stay in the totals, which stop at the
// largest number and never wrap. A forgotten client that returns counts as a new one.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/frame_reader.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::sidecar {

using ClientDrops = std::map<std::string, std::uint64_t, std::less<>>;

class ClientTable {
 public:
  static constexpr std::size_t clients_max = 16'384;
  /// Reasons beyond this are added up under "other": a client cannot fill our memory with names.
  static constexpr std::size_t reasons_max = 32;
  static constexpr Duration silence_min = std::chrono::hours(1);
  /// So are names that are longer, or are not made like a topic.
  static constexpr std::size_t reason_bytes_max = 64;

  using ClientId = std::array<std::uint8_t, proto::client_id_bytes>;
  /// Clients choose their ids, and must not be able to choose those that fall together.
  class Hash {
   public:
    Hash() : seed_(system_seed()) {}
    std::size_t operator()(const ClientId& id) const;

   private:
    std::uint64_t seed_;
  };

  /// Takes note of a checked frame's header; one without a client id says nothing.
  void note(const proto::FrameHeader& header, const Now& now);
  /// Of a refused frame that has arrived: the rest of its header cannot be trusted.
  void note_refused(const proto::FrameHeader& header, const Now& now);

  /// Events that the clients say they dropped, by reason.
  const ClientDrops& drops() const { return drops_; }

  /// Frames that clients have numbered and that never came.
  std::uint64_t frames_missing() const { return frames_missing_; }
  /// Grows with each loss that was not known before.
  std::uint64_t news() const { return news_; }

  std::size_t client_count() const { return clients_.size(); }
  /// Drop reasons that are held, of clients and in the totals.
  std::size_t reason_count() const;

 private:
  struct Client {
    ClientId id;
    std::uint64_t sequence;
    MonoTime heard_at;
    ClientDrops drops;
  };

  Client& heard(const proto::FrameHeader& header, const Now& now);
  void forget_one(const Now& now);
  void note_drops(Client& client, proto::ByteView drops);

  std::list<Client> by_last_frame_;  ///< the one heard last is in front
  std::vector<ClientId> newest_;     ///< the one that came last is at the end
  std::unordered_map<ClientId, std::list<Client>::iterator, Hash> clients_;
  ClientDrops drops_;
  std::uint64_t frames_missing_ = 0;
  std::uint64_t news_ = 0;
};

}  // namespace outrider::sidecar
