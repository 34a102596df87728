// Reading the bodies that a destination receives: json, ndjson, msgpack, and data alone.
//
// Used by `outrider sink`. A body of events is walked token by token, without a document in memory;
// RapidJSON and the msgpack reader feed the same walk, and with Detail::ids nothing is written or
// copied but an event's id. Thread: pure functions. Fails with: an Error that names the place in
// the body. Events before that place have already been visited, so the caller counts them only
// after success.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

enum class BodySyntax { json, ndjson, msgpack };

/// By the Content-Type header; its parameters do not matter.
std::optional<BodySyntax> body_syntax(std::string_view content_type);

enum class Detail {
  ids,   ///< count the events and read their ids
  json,  ///< read everything, and write it as compact JSON
};

/// One event of a body, valid during the visit. Missing fields are empty.
struct ReceivedEvent {
  std::string_view id;
  std::string_view topic{};
  std::string_view time{};
  std::string_view json{};  ///< the whole event, on one line
  std::string_view data{};  ///< its data, a part of `json`
};

using EventVisitor = std::function<void(const ReceivedEvent&)>;

/// An event is an object; a JSON body is an array of them, or one. One that has neither topic nor
/// data is data itself, and so is a body or a line that is no object and no array.
Status read_body(BodySyntax syntax, const std::string& body, Detail detail,
                 const EventVisitor& visit);

/// The attributes of the one event whose data is the body, from the headers of the request.
struct Envelope {
  std::string id;
  std::string topic{};
  std::string time{};
};

/// The body is one JSON value, the data of one event; all of it is data.
Status read_payload(const Envelope& envelope, const std::string& body, Detail detail,
                    const EventVisitor& visit);

}  // namespace outrider::sidecar
