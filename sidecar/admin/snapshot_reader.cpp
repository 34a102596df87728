#include "sidecar/admin/snapshot_reader.hpp"

#include <algorithm>

namespace outrider::sidecar {

SnapshotReader::View SnapshotReader::read() {
  const MonoTime asked_at = clock_.now().mono;
  View view;
  view.snapshot = board_.latest();
  if (!is_young(view.snapshot, asked_at)) view.snapshot = board_.fresh(patience);
  const MonoTime now = clock_.now().mono;
  // An answer to an earlier question breaks the silence too.
  const MonoTime since = silent_since_.value_or(asked_at);
  const bool is_answered = is_young(view.snapshot, asked_at) ||
                           (view.snapshot != nullptr && view.snapshot->taken_at >= since);
  if (is_answered) {
    silent_since_.reset();
  } else {
    silent_since_ = since;
    view.silence = now - since;
  }
  if (view.snapshot != nullptr) {
    view.age = std::max(Duration::zero(), now - view.snapshot->taken_at);
  }
  return view;
}

}  // namespace outrider::sidecar
