// Obstacles: why the events of a client do not reach its sidecar, as sentences for people.
//
// Used by Shipper, Courier and SendWindow, which note the one of the moment, and by Client, which
// tells it. Constants: they live as long as the program.
#pragma once

namespace outrider::sdk::obstacles {

inline constexpr const char* none = "";
inline constexpr const char* no_means =
    "this process gets no descriptors, threads or memory for a connection";
inline constexpr const char* other_socket =
    "what listens at the endpoint is no sidecar's socket, or is that of its other endpoint";
inline constexpr const char* not_connected = "no sidecar is connected";
inline constexpr const char* takes_no_more =
    "the sidecar is connected and takes no more; it is full, or it hangs";
inline constexpr const char* no_answer_yet = "the sidecar has not answered yet";
inline constexpr const char* no_answer = "the sidecar gave no answer in time; it may hang";
inline constexpr const char* refuses_now = "the sidecar takes nothing for the moment";

}  // namespace outrider::sdk::obstacles
