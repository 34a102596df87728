// Encoder: turns records into one request body.
//
// Used by Destination, one encoder a destination. To add a format: one file pair and one row in
// encoders.cpp; the conformance test runs over all rows.
// Thread: one encoder, one thread. Owns: scratch space that is reused from body to body.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/record.hpp"

namespace outrider::sidecar {

/// A body that is being written, and is kept over retries.
struct Body {
  std::string bytes;
  std::vector<std::uint32_t> event_ends;  ///< where each event's own part of `bytes` ends
  std::vector<std::string> headers;       ///< "Name: value", to be sent with this body

  void clear() {
    bytes.clear();
    headers.clear();
    event_ends.clear();
  }

  /// Undoes the last add(): the body would have grown too large. Not for the first event.
  void take_back() {
    event_ends.pop_back();
    bytes.resize(event_ends.back());
  }
};

class Encoder {
 public:
  virtual ~Encoder() = default;

  /// Empties `body` and begins it.
  virtual void begin(Body& body) = 0;

  /// Appends one event and its end to `event_ends`. The last event added may be taken back with
  /// take_back().
  virtual void add(const RecordView& record, Body& body) = 0;

  /// Finishes the body; nothing is added after it.
  virtual void end(Body& body) = 0;

  /// For the Content-Type header.
  virtual std::string_view content_type() const = 0;

  /// For the Content-Encoding header; empty: none.
  virtual std::string_view content_encoding() const { return {}; }

  /// A body has room for one event alone.
  virtual bool is_single() const { return false; }

  /// A bulk interface tells the fate of each event in its answer, and read_items() reads it.
  virtual bool has_item_answers() const { return false; }

  /// Puts one HTTP-like status for each event of the batch into `statuses`, in their order. False
  /// if the answer is not understood: then the status of the whole counts for all.
  virtual bool read_items(int /*status*/, std::string_view /*answer*/, std::uint32_t /*events*/,
                          std::vector<int>& /*statuses*/) const {
    return false;
  }
};

/// One row a format. `ndjson` and `msgpack_stream` put the events one behind the other, each
/// complete by itself, which is what files and message sockets need; `json` and `msgpack` put an
/// array around them, which is what a request needs.
struct EncoderRow {
  std::string_view name;
  std::unique_ptr<Encoder> (*make)();
};
const std::vector<EncoderRow>& encoder_rows();

/// The encoder of that name; null if there is none.
std::unique_ptr<Encoder> make_encoder(std::string_view name);

}  // namespace outrider::sidecar
