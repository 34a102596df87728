// How much memory this process may have: the least of what the machine has, its address space
// (ulimit -v), its data (ulimit -d), and what its cgroup and those above it allow.
//
// Used by limit_probe.cpp. Thread: any. Fails with: nothing; what cannot be read limits nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace outrider::sidecar {

struct MemoryLimit {
  std::uint64_t bytes = 0;
  std::string owner;  ///< "this machine has", "ulimit -v allows": a size follows
  std::string cure;   ///< what to raise; empty for the machine
};

MemoryLimit memory_limit();

/// Of cgroups alone: `membership` is /proc/self/cgroup, `root` where the hierarchies are mounted.
/// `bytes` is 0 if there is none.
MemoryLimit cgroup_memory_limit(std::string_view membership, const std::string& root);

}  // namespace outrider::sidecar
