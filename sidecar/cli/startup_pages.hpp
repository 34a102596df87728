// release_startup_pages: gives back the program code that only the start needed.
//
// Used by `outrider run` when it is ready. Loading forty shared libraries and making them ready
// maps about 7 MiB of their code that is not used again. The pages are clean and belong to the
// page cache; one that is needed after all comes back from there by itself.
#pragma once

namespace outrider::sidecar {

void release_startup_pages();

}  // namespace outrider::sidecar
