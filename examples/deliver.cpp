// An event that must not be lost: the program continues when the sidecar has it on disk.

#include <cstdio>

#include <outrider/client.hpp>

int main(int argc, char** argv) {
  outrider::Options options;
  if (argc > 1) options.confirm_endpoint = argv[1];
  outrider::Client client(options);

  const outrider::Status status =
      client.deliver_wait(std::chrono::seconds(5), "invoices.due", {{"invoice", 7}});

  std::puts(outrider::text(status));
  return status == outrider::Status::ok ? 0 : 1;
}
