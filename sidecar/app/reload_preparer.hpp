// ReloadPreparer: the first half of a reload, away from the loop: it reads the configuration and
// all files that it names, and finds what has changed.
//
// Used by Reloader, which carries out the second half. Files may be on a file system that does not
// answer: so a thread of its own reads them, and the loop looks now and then whether it is done.
// Thread: begin() and take() belong to the loop. Owns: the thread. Fails with: PreparedReload::
// errors. Limits: one preparation at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/helper_thread.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/config/reload_plan.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/schedule/recurrence.hpp"

namespace outrider::sidecar {

/// Reads the configuration anew, with the overrides that the sidecar was started with.
using LoadAgain = std::function<LoadResult()>;

struct PreparedReload {
  Config config;
  ReloadPlan plan;
  Recurrence recurrence;
  std::vector<std::string> warnings;
  /// Nothing else is of use if there is one.
  std::vector<std::string> errors;
  /// Of the destinations that are added or have another transport.
  std::map<std::string, FinishTransport> transports;
};

/// The work itself.
PreparedReload prepare_reload(const LoadAgain& load, const PrepareTransport& prepare,
                              const Config& running);

class ReloadPreparer {
 public:
  virtual ~ReloadPreparer() = default;
  /// False: the last one has not ended, or there can be no thread.
  virtual bool begin(const Config& running) = 0;
  /// The result, once.
  virtual std::optional<PreparedReload> take() = 0;
};

/// The real one. `wake`: ends the loop's sleep when it is done; outlives it.
class ThreadReloadPreparer final : public ReloadPreparer {
 public:
  ThreadReloadPreparer(LoadAgain load, PrepareTransport prepare, std::function<void()> wake);
  ~ThreadReloadPreparer() override;

  bool begin(const Config& running) override;
  std::optional<PreparedReload> take() override;

 private:
  struct State;
  const std::shared_ptr<State> state_;
  HelperThread thread_;
};

}  // namespace outrider::sidecar
