// Checks of [admin] that need more than one setting: what an address requires, and what has no
// effect. Used by validate.cpp.
#pragma once

#include "sidecar/config/config.hpp"
#include "sidecar/config/section_view.hpp"

namespace outrider::sidecar {

/// Complains and warns at `section`, which is [admin].
void validate_admin(const Config& config, const SectionView& section);

}  // namespace outrider::sidecar
