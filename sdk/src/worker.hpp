// Worker: what the SDK's threads have in common: how they start, wait and name themselves.
// Used by Shipper and Courier. Thread: any.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace outrider::sdk {

using SteadyTime = std::chrono::steady_clock::time_point;

/// More than a frame's header ever takes, whoever writes it here.
inline constexpr std::size_t frame_head_bytes_max = 768;

/// As frame headers name this library.
inline constexpr std::string_view library = "outrider-cpp/" OUTRIDER_VERSION;

/// For close(): how long after the deadline a thread may take to end.
inline constexpr std::chrono::milliseconds close_margin{250};

/// Rounded up; 0 for what is over, and never more than an int holds, as libzmq and poll() want it.
long left_ms(SteadyTime deadline);

/// Starts a thread that none of the host's signals reach, nor the threads that libzmq starts from
/// it. Not joinable: there is none left.
std::thread start_worker(std::function<void()> run);

/// Whether the process may start the threads that libzmq needs, tried by starting as many.
bool are_threads_left();

/// Empty where the system does not tell.
std::string host_name();

}  // namespace outrider::sdk
