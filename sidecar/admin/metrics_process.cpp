#include "sidecar/admin/metrics_process.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

constexpr const char* descriptors_folder = "/proc/self/fd";
/// Of /proc/self/stat, counted from the one behind the program's name, which may hold anything.
constexpr int start_time_field = 19;

Duration duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

std::optional<Duration> cpu_time() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return std::nullopt;
  return duration_of(usage.ru_utime) + duration_of(usage.ru_stime);
}

void read_memory(ProcessUsage& process) {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0, resident_pages = 0;
  if (!(file >> pages >> resident_pages)) return;
  const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  process.virtual_memory_bytes = pages * page_bytes;
  process.resident_memory_bytes = resident_pages * page_bytes;
}

std::optional<std::uint64_t> open_fds() {
  // Linux 6.2 and newer has the number there, without a walk through thousands of names.
  struct stat folder {};
  if (stat(descriptors_folder, &folder) == 0 && folder.st_size > 0) {
    return static_cast<std::uint64_t>(folder.st_size);
  }
  std::error_code error;
  std::uint64_t entries = 0;
  auto entry = std::filesystem::directory_iterator(descriptors_folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    ++entries;
    entry.increment(error);
  }
  if (error || entries == 0) return std::nullopt;
  return entries - 1;  // one is the folder itself
}

std::optional<std::uint64_t> max_fds() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return limit.rlim_cur;
}

/// When the machine was started, in seconds since 1970.
std::optional<std::int64_t> boot_time_s() {
  std::ifstream file("/proc/stat");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("btime ")) return std::stoll(line.substr(6));
  }
  return std::nullopt;
}

std::optional<WallTime> start_time() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(')');
  const auto boot_s = boot_time_s();
  if (name_end == std::string::npos || !boot_s) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 0; field < start_time_field; ++field) fields >> skipped;
  std::int64_t ticks = 0;
  if (!(fields >> ticks)) return std::nullopt;
  const std::int64_t ticks_per_s = sysconf(_SC_CLK_TCK);
  return WallTime(std::chrono::seconds(*boot_s) +
                  std::chrono::nanoseconds(1'000'000'000 / ticks_per_s * ticks));
}

}  // namespace

ProcessUsage read_process_usage() {
  ProcessUsage process;
  process.cpu_time = cpu_time();
  read_memory(process);
  process.open_fds = open_fds();
  process.max_fds = max_fds();
  process.start_time = start_time();
  return process;
}

}  // namespace outrider::sidecar
