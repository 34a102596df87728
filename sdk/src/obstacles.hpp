// Obstacles: why the events of a client do not reach its sidecar, as sentences for people.
//
// Used by Shipper, Courier and SendWindow, which note the current one, and by Client, which returns
// it. Constants: they live as long as the program.
#pragma once

namespace outrider::sdk::obstacles {

inline constexpr const char* none = "";
inline constexpr const char* no_means =
    "this process has no descriptors, threads or memory left for a connection";
inline constexpr const char* other_socket =
    "the socket at the endpoint is not a sidecar's, or belongs to its other endpoint";
inline constexpr const char* not_connected = "no sidecar is connected";
inline constexpr const char* takes_no_more =
    "the sidecar is connected but takes no more; it is full, or it hangs";
inline constexpr const char* no_answer_yet = "the sidecar has not answered yet";
inline constexpr const char* no_answer = "the sidecar gave no answer in time; it may hang";
inline constexpr const char* refuses_now = "the sidecar takes no events at the moment";

}  // namespace outrider::sdk::obstacles
