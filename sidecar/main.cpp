#include <string>
#include <vector>

#include "sidecar/cli/commands.hpp"

int main(int argc, char** argv) {
  return outrider::sidecar::run_command_line(std::vector<std::string>(argv + 1, argv + argc));
}
