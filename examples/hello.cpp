// An application's ten lines: build it against the installed SDK, run it beside a sidecar.

#include <outrider/client.hpp>

int main(int argc, char** argv) {
  outrider::Client client{std::string(argc > 1 ? argv[1] : "ipc:///run/outrider/outrider.sock")};
  client.emit("orders.paid", {{"amount", 49.99}, {"user_id", 42}});
  // For the end of a program; a server just continues.
  return client.flush(std::chrono::seconds(1)) ? 0 : 1;
}
