// `--config FILE` or `--spool PATH`: the spool that a command uses.
//
// Used by `outrider spool` and `outrider dead`. Fails with: an exit status, after one clear line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/arguments/arguments.hpp"
#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/inspect/inspection.hpp"
#include "sidecar/inspect/spool_access.hpp"

namespace outrider::sidecar {

struct SpoolChoice {
  std::string config_file;
  std::string path;
  /// The destinations of the configuration; nothing without one.
  std::optional<std::vector<std::string>> configured{};
};

/// Nothing: there is no configuration to tell.
std::optional<bool> is_configured(const SpoolChoice& choice, const std::string& destination);

/// The rows of these options, followed by those of the command.
std::vector<ArgumentRow> with_spool_rows(SpoolChoice& choice, std::vector<ArgumentRow> rows);

/// Reads the arguments and settles `choice`. Gives the exit status if the command must end.
std::optional<int> read_spool_arguments(const ArgumentTable& table,
                                        const std::vector<std::string>& arguments,
                                        SpoolChoice& choice);

/// The part of it that reads the configuration, which is named.
std::optional<int> settle_spool(const ArgumentTable& table, SpoolChoice& choice);

/// Opens the spool to read and runs `action`; errors are printed.
int with_database(const ArgumentTable& table, const SpoolChoice& choice,
                  const std::function<int(Database&)>& action);

/// The same at one moment of the spool. The output of `action` in `out` is printed after everything
/// is released: its reader may be slow.
int with_spool(const ArgumentTable& table, const SpoolChoice& choice,
               const std::function<int(Database&, std::string& out)>& action);

TakeValue store_topic_pattern(std::string& to);

}  // namespace outrider::sidecar
