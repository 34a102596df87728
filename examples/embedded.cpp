// The whole sidecar inside the application's process: three lines.

#include <cstdio>

#include <outrider/embedded.hpp>

int main(int argc, char** argv) try {
  outrider::Embedded sidecar(argc > 1 ? argv[1] : "outrider.conf");
  outrider::Client client(sidecar.client_options());
  client.emit("orders.paid", {{"amount", 49.99}, {"user_id", 42}});

  client.close(std::chrono::seconds(1));
  const bool is_delivered = sidecar.stop();
  std::fputs(sidecar.report().c_str(), stderr);
  return is_delivered ? 0 : 1;
} catch (const std::exception& error) {
  std::fputs(error.what(), stderr);
  return 2;
}
