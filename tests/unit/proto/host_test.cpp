#include "proto/host.hpp"

#include <gtest/gtest.h>

namespace outrider::proto {
namespace {

TEST(Host, NamesAndAddressesAreHosts) {
  for (const char* host :
       {"a", "localhost", "name_of.an-example", "127.0.0.1", "1a", "::1", "[::1]", "[127.0.0.1]",
        "fe80::1%eth0", "[fe80::1%2]", "::ffff:1.2.3.4"}) {
    EXPECT_TRUE(is_host(host)) << host;
  }
}

TEST(Host, OtherTextIsNot) {
  for (const char* host : {"", "*", "-", "-a", ".", "a:b", "[::1", "::1]", "[]", "[a:b]", "[[::1]]",
                           "a b", "a/b", "a:1;b", "gr\xc3\xbc\xc3\x9f", ":::1", "%eth0", "@a"}) {
    EXPECT_FALSE(is_host(host)) << host;
  }
}

}  // namespace
}  // namespace outrider::proto
