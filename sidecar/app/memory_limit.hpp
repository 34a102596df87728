// How much memory this process may use: the smallest of the machine's memory, the limits of its
// address space (ulimit -v) and its data (ulimit -d), and the limits of its cgroup and those above
// it.
//
// Used by limit_probe.cpp. Thread: any. Fails with: nothing; a limit that cannot be read is
// ignored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace outrider::sidecar {

struct MemoryLimit {
  std::uint64_t bytes = 0;
  std::string owner;  ///< "this machine has", "ulimit -v allows": a size follows
  std::string cure;   ///< the limit to raise; empty for the machine
};

MemoryLimit memory_limit();

/// Of cgroups alone: `membership` is /proc/self/cgroup, `root` where the hierarchies are mounted.
/// `bytes` is 0 if there is none.
MemoryLimit cgroup_memory_limit(std::string_view membership, const std::string& root);

}  // namespace outrider::sidecar
