#include "sidecar/cli/startup_pages.hpp"

#include <cstdint>

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

/// Code segments only: they are never written to, so that nothing can be lost.
int release_code(dl_phdr_info* object, std::size_t, void*) {
  const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const bool is_code =
        segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && (segment.p_flags & PF_W) == 0;
    if (!is_code) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page_bytes - 1);
    const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void release_startup_pages() {
  dl_iterate_phdr(&release_code, nullptr);
}

}  // namespace outrider::sidecar
