// DeadSource: where `outrider dead` finds the dead letters and has them changed: the running
// sidecar, or the file of its spool.
//
// Used by the subcommands of `outrider dead`. With --spool it is always the file. Otherwise the
// sidecar is asked first, over its admin interface; if none listens there, or another one, and
// --config names a spool, it is the file.
// Thread: the main thread. Fails with: an Error in one line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/cli/admin_arguments.hpp"
#include "sidecar/cli/spool_arguments.hpp"
#include "sidecar/inspect/dead_jobs.hpp"

namespace outrider::sidecar {

struct DeadChoice {
  SpoolChoice spool;
  AdminChoice admin;
};

/// `rows`, behind those that choose the source.
std::vector<ArgumentRow> with_dead_rows(DeadChoice& choice, std::vector<ArgumentRow> rows);

/// A dead letter as a source shows it.
struct ShownLetter {
  DeadHead head;
  std::string answer;
  std::string event;   ///< a line of JSON, or a text instead of it; empty: it is damaged
  std::string note{};  ///< why not all is shown
};

struct DeadChange {
  std::uint64_t changed = 0;
  Status status = Nothing{};
  std::string note{};  ///< for stderr: how it goes on
};

class DeadSource {
 public:
  virtual ~DeadSource() = default;

  /// Those that match all of the filter, the newest last.
  virtual Result<std::vector<DeadHead>> find(const DeadFilter& filter) = 0;
  /// Nothing: there is no such letter.
  virtual Result<std::optional<ShownLetter>> read(std::int64_t id) = 0;
  /// Changes `letters`, which find() has given for `filter`; there is one at least.
  virtual DeadChange change(DeadAction action, const DeadFilter& filter,
                            const std::vector<DeadHead>& letters) = 0;
};

std::unique_ptr<DeadSource> open_dead_file(const std::string& path);
std::unique_ptr<DeadSource> open_dead_sidecar(std::unique_ptr<AdminClient> client);

/// Reads the arguments and opens the source. Gives the exit status if the command must end.
std::optional<int> open_dead_source(const ArgumentTable& table,
                                    const std::vector<std::string>& arguments, DeadChoice& choice,
                                    std::unique_ptr<DeadSource>& source);

/// The words of an answer that is not good, as the sidecar says them.
Error words_of(const AdminReply& reply);

}  // namespace outrider::sidecar
