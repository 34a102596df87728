// Whether the limits of this process and of its machine let a configuration run: descriptors,
// threads, memory, the size of a file.
//
// Used by probe.cpp and Host. Takes the resources that it asks for, and gives them back at once.
// Thread: any. Fails with: a Finding that names the limit and the number to set.
#pragma once

#include <cstdint>

#include "sidecar/app/memory_limit.hpp"
#include "sidecar/app/place_probe.hpp"
#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

/// `needed`: as many descriptors as are open when the sidecar is ready, without those of the admin
/// interface; clients and requests take more.
Findings probe_descriptors(const Config& config, std::uint64_t needed);

/// As much memory as the queues and the data of clients may take together.
Findings probe_memory(const Config& config, const MemoryLimit& limit);

/// All that will ever be at a time, one of libcurl's for a name included.
std::size_t threads_needed(const Config& config);

/// A sidecar that runs with this configuration may have taken them.
Findings probe_thread_limit(const Config& config);

/// RLIMIT_FSIZE, as far as a spool and files need it.
Findings probe_file_size(const Config& config);

}  // namespace outrider::sidecar
