// Encoder: turns records into one request body, and gives the headers that describe it.
//
// Used by Destination, one encoder a destination. To add a format: one file pair and one row in
// encoders.cpp; the conformance test runs over all rows. Field rules and compression, which work
// with every format, are decorators that make_encoder() puts around it. Thread: one encoder, one
// thread. Owns: scratch space that is reused from body to body.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/field_path.hpp"
#include "sidecar/base/record.hpp"

namespace outrider::sidecar {

/// A body that is being written, and is kept over retries.
struct Body {
  std::string bytes;
  /// Where each event's own part of `bytes` ends; empty for a compressed body.
  std::vector<std::uint32_t> event_ends;
  /// "Name: value", for this body's request alone; only encoders of single events fill it.
  std::vector<std::string> headers;

  void clear() {
    bytes.clear();
    event_ends.clear();
    headers.clear();
  }

  /// Undoes the last add(): the body would have grown too large. Not for the first event.
  void take_back() {
    event_ends.pop_back();
    bytes.resize(event_ends.back());
  }
};

/// Reads the answers of a receiver that tells the fate of each event of a batch, as bulk APIs do.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;

  /// `status` and the whole body of an answer to a request with this many events. Fills `statuses`
  /// with one HTTP status for each event, in the order in which they were added. Each event then
  /// has its own outcome, as if it had been answered alone, except that 413 makes it a dead letter
  /// and 410 does not disable the destination. False if the answer is not understood or does not
  /// cover every event; then the status applies to the batch as a whole, and a 2xx delivers
  /// nothing.
  virtual bool read(int status, std::string_view answer, std::uint32_t events,
                    std::vector<int>& statuses) const = 0;
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

  /// For the Content-Encoding header: "gzip", "zstd", or "" for none. Of a compressed body, only
  /// the bytes before end() count towards batch_bytes_max.
  virtual std::string_view content_encoding() const { return {}; }

  /// A body has room for one event alone: add() is called once between begin() and end().
  virtual bool is_single() const { return false; }

  /// For receivers of this format that answer for each event; null: an answer is that of the batch.
  virtual const AnswerReader* answer_reader() const { return nullptr; }
};

/// How one destination wants its bodies; the defaults change nothing.
struct EncodeSettings {
  std::string_view format = "json";  ///< the name of a row of encoder_rows()
  std::string_view compression{};    ///< the name of a row of compressor_rows(); empty: none
  int compression_level = 0;         ///< from 1 to the row's limit; 0: its default
  FieldRules rules{};                ///< at most field_rules_max
  double sample_rate = 1;            ///< if below 1, each event carries it
  std::string cloudevents_source = "/outrider";  ///< a URI reference; "/HOST" is appended
};

/// One row for each format. `ndjson`, `msgpack_stream` and the `_lines` formats write complete
/// events one after another, as files and message sockets need; `json`, `msgpack` and
/// `cloudevents_batch` put an array around them, as a request needs. The others take one event in
/// each request.
struct EncoderRow {
  std::string_view name;
  std::unique_ptr<Encoder> (*make)(const EncodeSettings& settings);
};
const std::vector<EncoderRow>& encoder_rows();

/// The encoder for these settings; null if there is no such format or compression, or if there are
/// more rules than field_rules_max.
std::unique_ptr<Encoder> make_encoder(const EncodeSettings& settings);

}  // namespace outrider::sidecar
