#include "sidecar/base/private_address.hpp"

#include <cstring>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace outrider::sidecar {
namespace {

/// An address as connect() gets it.
sockaddr_storage address_of(const std::string& text) {
  sockaddr_storage storage{};
  if (text.find(':') == std::string::npos) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &address.sin_addr), 1) << text;
    std::memcpy(&storage, &address, sizeof address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &address.sin6_addr), 1) << text;
    std::memcpy(&storage, &address, sizeof address);
  }
  return storage;
}

std::string range_of(const std::string& text) {
  const sockaddr_storage storage = address_of(text);
  return std::string(private_range(reinterpret_cast<const sockaddr&>(storage)).value_or("public"));
}

TEST(PrivateAddress, KnowsTheRangesThatAreNotPublic) {
  for (const auto& [address, range] : std::initializer_list<std::pair<const char*, const char*>>{
           {"0.0.0.0", "this network"},
           {"0.1.2.3", "this network"},
           {"10.0.0.1", "private network"},
           {"10.255.255.255", "private network"},
           {"100.64.0.1", "carrier's private network"},
           {"100.127.255.255", "carrier's private network"},
           {"127.0.0.1", "loopback"},
           {"127.255.0.1", "loopback"},
           {"169.254.169.254", "link-local"},
           {"172.16.0.1", "private network"},
           {"172.31.255.255", "private network"},
           {"192.0.0.192", "protocol assignments"},
           {"192.0.2.1", "documentation"},
           {"192.88.99.1", "6to4 relay"},
           {"192.168.1.1", "private network"},
           {"198.18.0.1", "benchmarking"},
           {"198.19.255.255", "benchmarking"},
           {"198.51.100.7", "documentation"},
           {"203.0.113.7", "documentation"},
           {"224.0.0.1", "multicast"},
           {"239.255.255.255", "multicast"},
           {"240.0.0.1", "reserved"},
           {"255.255.255.255", "reserved"},
           {"::", "reserved"},
           {"::1", "loopback"},
           {"::10.0.0.1", "reserved"},
           {"64:ff9b:1::1", "reserved"},
           {"100::1", "reserved"},
           {"fc00::1", "private network"},
           {"fdff::1", "private network"},
           {"fe80::1", "link-local"},
           {"febf::1", "link-local"},
           {"fec0::1", "reserved"},
           {"ff02::1", "multicast"},
           {"2001::1", "Teredo tunnel"},
           {"2001:2::1", "benchmarking"},
           {"2001:10::1", "reserved"},
           {"2001:2f::1", "reserved"},
           {"2001:db8::1", "documentation"},
           {"3fff:fff::1", "documentation"},
           {"4000::1", "reserved"},
           {"8000::1", "reserved"}}) {
    EXPECT_EQ(range_of(address), range) << address;
  }
}

TEST(PrivateAddress, LooksThroughFormsOfAnIpv4Address) {
  EXPECT_EQ(range_of("::ffff:127.0.0.1"), "loopback");
  EXPECT_EQ(range_of("::ffff:169.254.169.254"), "link-local");
  EXPECT_EQ(range_of("64:ff9b::192.168.0.1"), "private network");
  EXPECT_EQ(range_of("2002:0a00:0001::1"), "private network");
  EXPECT_EQ(range_of("::ffff:93.184.216.34"), "public");
  EXPECT_EQ(range_of("64:ff9b::93.184.216.34"), "public");
  EXPECT_EQ(range_of("2002:5db8:d822::1"), "public");
}

TEST(PrivateAddress, LeavesPublicOnesAlone) {
  for (const char* address :
       {"1.1.1.1",         "9.255.255.255",   "11.0.0.0",     "100.63.255.255",
        "100.128.0.0",     "126.255.255.255", "128.0.0.1",    "169.253.0.1",
        "172.15.255.255",  "172.32.0.1",      "192.0.1.1",    "192.167.0.1",
        "192.169.0.1",     "198.17.0.1",      "198.20.0.1",   "203.0.112.1",
        "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888",
        "3fff:1000::1"}) {
    EXPECT_EQ(range_of(address), "public") << address;
  }
}

TEST(PrivateAddress, TakesOtherFamiliesForPrivate) {
  sockaddr address{};
  address.sa_family = AF_UNIX;
  EXPECT_TRUE(private_range(address));
}

TEST(PrivateAddress, WritesAnAddress) {
  sockaddr_storage storage = address_of("10.0.0.1");
  EXPECT_EQ(address_text(reinterpret_cast<const sockaddr&>(storage)), "10.0.0.1");
  storage = address_of("fe80::1");
  EXPECT_EQ(address_text(reinterpret_cast<const sockaddr&>(storage)), "fe80::1");
}

}  // namespace
}  // namespace outrider::sidecar
