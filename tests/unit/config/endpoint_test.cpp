#include "sidecar/config/endpoint.hpp"

#include <gtest/gtest.h>

#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

TEST(Endpoint, WhereToListen) {
  for (const char* good :
       {"ipc:///run/x", "ipc://rel", "tcp://*:0", "tcp://127.0.0.1:*", "tcp://[::1]:5555",
        "tcp://::1:5555", "tcp://[fe80::1%lo]:5", "tcp://eth0:65535", "inproc://x"}) {
    EXPECT_TRUE(check_bind_endpoint(good).ok()) << good;
  }
  for (const char* bad : {"",
                          "ipc://",
                          "ipc://*",
                          "ipc://@name",
                          "tcp://",
                          "tcp://h",
                          "tcp://:1",
                          "tcp://h:",
                          "tcp://h:x",
                          "tcp://h:-1",
                          "tcp://h:+1",
                          "tcp://127.0.0.1:65536",
                          "tcp://127.0.0.1:99999",
                          "tcp://h:99999999999999999999",
                          "tcp://h h:1",

                          "tcp://[::1:5",
                          "tcp://[]:5",
                          "tcp://h/x:5",
                          "tcp://b\xc3\xbc:5",
                          "inproc://",
                          "IPC:///x",
                          "udp://h:1",
                          "ipc:///\n"}) {
    EXPECT_FALSE(check_bind_endpoint(bad).ok()) << bad;
  }
}

TEST(Endpoint, WhereToConnectTo) {
  for (const char* good : {"ipc:///run/x", "ipc://@name", "tcp://127.0.0.1:1", "tcp://[::1]:5555",
                           "tcp://collector.example:65535", "inproc://x"}) {
    EXPECT_TRUE(check_connect_endpoint(good).ok()) << good;
  }
  for (const char* bad : {"", "ipc://*", "tcp://*:5555", "tcp://h:0", "tcp://h:*", "tcp://h:65536",
                          "tcp://h", "inproc://"}) {
    EXPECT_FALSE(check_connect_endpoint(bad).ok()) << bad;
  }
}

TEST(Endpoint, WhatItIsMadeOf) {
  const Endpoint v6 = parse_bind_endpoint("tcp://[::1]:5555").value();
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.port, 5555);
  EXPECT_EQ(parse_bind_endpoint("tcp://*:*").value().port, 0);
  EXPECT_EQ(parse_bind_endpoint("ipc://rel/x").value().path, "rel/x");
}

TEST(Endpoint, WhatIsToBeLookedUp) {
  for (const char* name : {"tcp://localhost:1", "tcp://a.example:1", "tcp://127.0.0.1.example:1"}) {
    EXPECT_TRUE(has_host_name(parse_connect_endpoint(name).value())) << name;
  }
  for (const char* no_name : {"ipc:///x", "inproc://x", "tcp://127.0.0.1:1", "tcp://[::1]:1",
                              "tcp://[fe80::1%eth0]:1", "tcp://[::ffff:127.0.0.1]:1"}) {
    EXPECT_FALSE(has_host_name(parse_connect_endpoint(no_name).value())) << no_name;
  }
}

TEST(Endpoint, WhatOthersCanReach) {
  for (const char* here : {"ipc:///x", "inproc://x", "tcp://127.0.0.1:1", "tcp://127.9.9.9:1",
                           "tcp://[::1]:1", "tcp://[::ffff:127.0.0.1]:1", "tcp://localhost:1"}) {
    EXPECT_TRUE(is_on_this_machine(parse_bind_endpoint(here).value())) << here;
  }
  for (const char* elsewhere : {"tcp://*:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://eth0:1",
                                "tcp://10.0.0.1:1", "tcp://127.0.0.1.example:1"}) {
    EXPECT_FALSE(is_on_this_machine(parse_bind_endpoint(elsewhere).value())) << elsewhere;
  }
}

}  // namespace
}  // namespace outrider::sidecar
