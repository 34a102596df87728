#include "sidecar/app/memory_limit.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A number; 0 for "max", and for a file that is not there.
std::uint64_t number_in(const std::string& path) {
  const std::string text = content(path);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void lower(MemoryLimit& least, MemoryLimit limit) {
  if (limit.bytes > 0 && (least.bytes == 0 || limit.bytes < least.bytes)) least = std::move(limit);
}

/// `path` and all above it. In a container the upper ones are not to be seen, and its own is the
/// root.
void look_upwards(const std::string& mount, std::string path, const std::string& name,
                  MemoryLimit& least) {
  for (;;) {
    std::string file = mount + path;
    if (!path.ends_with('/')) file += '/';
    file += name;
    lower(least, {number_in(file), file + " allows", "that limit, or MemoryMax= of the unit"});
    if (path.size() <= 1) return;
    path.resize(path.rfind('/'));
  }
}

bool names_memory(std::string_view controllers) {
  const std::string list = "," + std::string(controllers) + ",";
  return list.find(",memory,") != std::string::npos;
}

MemoryLimit of_process(int resource, const std::string& name) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  return {limit.rlim_cur, name + " allows", "it"};
}

}  // namespace

/// Lines "number:controllers:path"; no controllers: cgroup v2.
MemoryLimit cgroup_memory_limit(std::string_view membership, const std::string& root) {
  MemoryLimit least;
  while (!membership.empty()) {
    const std::string_view line = membership.substr(0, membership.find('\n'));
    membership.remove_prefix(std::min(line.size() + 1, membership.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers.empty()) {
      look_upwards(root, path, "memory.max", least);
    } else if (names_memory(controllers)) {
      look_upwards(root + "/memory", path, "memory.limit_in_bytes", least);
    }
  }
  return least;
}

MemoryLimit memory_limit() {
  MemoryLimit least;
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_bytes > 0) {
    least = {static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes),
             "this machine has", ""};
  }
  lower(least, of_process(RLIMIT_AS, "ulimit -v"));
  lower(least, of_process(RLIMIT_DATA, "ulimit -d"));
  lower(least, cgroup_memory_limit(content("/proc/self/cgroup"), "/sys/fs/cgroup"));
  return least;
}

}  // namespace outrider::sidecar
