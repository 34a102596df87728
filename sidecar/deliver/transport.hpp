// Transport: hands the bodies of one destination to the outside world.
//
// Used by Destination, which decides what is sent, when, and what an answer means; a transport only
// carries. Implementations: CurlTransport (https), WriterTransport (file, stdout), ZmqTransport
// (fanout), and tests/support/fake_transport.hpp. The table of them is in app/transports.cpp.
//
// Thread: all calls come from the sidecar's one thread; nothing here may block. A transport that
// needs a blocking call makes it on its own thread. Owns: its sockets and files. Fails with: a
// Completion; never with an exception.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

struct DestinationConfig;
struct UrlSnapshot;

using AttemptId = std::uint64_t;

/// The content type of a destination's bodies, for a transport that sends it; empty: not sent.
struct BodyKind {
  std::string_view content_type;
  std::string_view content_encoding;
};

/// One attempt to send one body. The views stay valid until its completion has been collected or
/// cancel() has returned.
struct Attempt {
  AttemptId id = 0;
  std::string_view body;
  /// Where each event's part of the body ends, for transports that send events one by one.
  const std::vector<std::uint32_t>* event_ends = nullptr;
  /// The topic of each event, in the same order, for the same transports.
  const std::vector<std::string_view>* topics = nullptr;
  /// The id of the batch, the same over all attempts; sent as a header by http.
  std::string_view batch_id;
  /// The event, if the body consists of one; for the parts of a request that describe its event.
  std::optional<RecordView> event = std::nullopt;
  /// A header that the encoder wants for this body, "Name: value"; used by http.
  const std::vector<std::string>* headers = nullptr;
  /// The encoder reads the answer's body: a bulk interface tells the fate of each event in it.
  bool wants_answer = false;
};

enum class AttemptResult : std::uint8_t {
  answered,    ///< `status` holds the answer of the other side
  sent,        ///< handed over, for transports without an answer
  failed,      ///< no answer: refused, reset, timed out, name not found, certificate not trusted
  unsendable,  ///< no request can be made of it, now or ever
};

enum class EventFate : std::uint8_t {
  answered,  ///< its status says it
  taken,
  lost,     ///< some peer's high-water mark lost it
  untried,  ///< it was not offered: it is sent again, and this was no attempt
};

/// The outcome of one event, if the events of a batch have separate outcomes.
struct EventVerdict {
  EventFate fate = EventFate::answered;
  int status = 0;
};

struct Completion {
  AttemptId id = 0;
  AttemptResult result = AttemptResult::failed;
  int status = 0;                       ///< HTTP status
  std::optional<Duration> retry_after;  ///< asked for by the answer, from now on
  bool is_for_now = false;              ///< the answer asked for that, whoever waits for it
  std::string detail;                   ///< failed: why; answered: the head of the answer's body
  bool is_detail_ours = false;          ///< answered, but `detail` has no word of the receiver
  /// Another way to the same receiver is up: the failure says nothing of the destination, and the
  /// next attempt need not wait.
  bool has_alternative = false;
  /// It says that it is gone, and not all ways to the receiver are: so it speaks of this one.
  bool others_remain = false;
  std::uint32_t way = 0;  ///< which of several it took
  /// The whole body of the answer, if the attempt asked for it (Attempt::wants_answer).
  std::string answer;
  bool is_cut = false;  ///< the answer did not come whole
  /// One for each event of the attempt, in its order; empty: the result is that of all.
  std::vector<EventVerdict> verdicts{};

  bool quotes_receiver() const { return result == AttemptResult::answered && !is_detail_ours; }
  /// The name of `detail` as a field of the log.
  std::string_view detail_field() const {
    return quotes_receiver() ? receiver_words_field : "detail";
  }
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Begins an attempt. Its completion is collected later, even if it fails at once.
  virtual void start(const Attempt& attempt, const Now& now) = 0;

  /// Ends an attempt that has not completed; no completion follows.
  virtual void cancel(AttemptId id) = 0;

  /// Appends the completions since the last call. Cheap when there are none.
  virtual void collect(const Now& now, std::vector<Completion>& completions) = 0;

  /// When the transport wants to be called again though nothing happened.
  virtual MonoTime next_deadline() const { return never; }

  /// Events that were completed as sent, and have not left this process: they are lost if it ends
  /// now.
  virtual std::uint64_t held() const { return 0; }

  /// The urls that it sends to, with their health; none where it does not know that.
  virtual std::vector<UrlSnapshot> urls() const;

  /// Nothing is waited for any more: attempts whose outcome is known complete, and are collected
  /// by the next call of collect().
  virtual void hurry(const Now& /*now*/) {}

  /// Called once when nothing more will be started: all data must be sent by `deadline`. Must not
  /// wait for it.
  virtual void close(MonoTime deadline) = 0;
};

/// The second step of making a transport, on the sidecar's thread and without the disk.
using FinishTransport = std::function<Result<std::unique_ptr<Transport>>(const BodyKind& body)>;
/// The first step, in any thread: reads the files that the configuration names. It may outlive the
/// sidecar's parts; what it returns must not be used then.
using PrepareTransport = std::function<Result<FinishTransport>(const DestinationConfig& config)>;

}  // namespace outrider::sidecar
