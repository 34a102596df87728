// A program of somebody who has installed the SDK.
#include <outrider/client.hpp>

int main() {
  outrider::Options options;
  options.endpoint = "ipc:///tmp/outrider-nobody-listens-here";
  outrider::Client client(options);
  const bool is_taken = client.emit("consumer.started", {{"answer", 42}}) == outrider::Status::ok;
  client.close(std::chrono::milliseconds(0));
  return is_taken ? 0 : 1;
}
