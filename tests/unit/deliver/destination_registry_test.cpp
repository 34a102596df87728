#include "sidecar/deliver/destination_registry.hpp"

#include <gtest/gtest.h>

#include "support/fake_transport.hpp"
#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

class DestinationRegistryTest : public ::testing::Test {
 protected:
  DestinationHandle add(const std::string& name) {
    DestinationConfig config;
    config.name = name;
    const DestinationHandle handle = registry_.reserve();
    registry_.put(handle, std::make_unique<Destination>(config, make_encoder({}),
                                                        std::make_unique<test::FakeTransport>(),
                                                        nullptr, log_, 1));
    return handle;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Destination* destination : registry_.all()) names.push_back(destination->name());
    return names;
  }

  test::MemoryLog log_;
  DestinationRegistry registry_;
};

using Names = std::vector<std::string>;

TEST_F(DestinationRegistryTest, FindsADestinationByHandleAndByName) {
  const DestinationHandle audit = add("audit");
  const DestinationHandle backup = add("backup");
  EXPECT_EQ(audit, 0U);
  EXPECT_EQ(registry_.find(backup)->name(), "backup");
  EXPECT_EQ(registry_.find("audit"), registry_.find(audit));
  EXPECT_EQ(registry_.handle_of("backup"), backup);
  EXPECT_EQ(registry_.find("none"), nullptr);
  EXPECT_EQ(registry_.find(DestinationHandle{17}), nullptr) << "never given out";
}

TEST_F(DestinationRegistryTest, AHandleIsNeverGivenOutAgain) {
  const DestinationHandle first = add("audit");
  add("backup");
  registry_.park(first);
  EXPECT_EQ(registry_.find(first), nullptr);
  EXPECT_EQ(registry_.find("audit"), nullptr);
  const DestinationHandle second = add("audit");
  EXPECT_NE(second, first);
  EXPECT_EQ(registry_.find(first), nullptr) << "a late message must find nobody";
  EXPECT_EQ(registry_.handle_of("audit"), second);
}

TEST_F(DestinationRegistryTest, AParkedDestinationIsKnownUntilItsNameComesBack) {
  const DestinationHandle handle = add("audit");
  add("backup");
  Destination* const audit = registry_.find(handle);
  registry_.park(handle);
  EXPECT_EQ(names(), (Names{"backup"}));
  EXPECT_EQ(registry_.known().size(), 2U);
  EXPECT_EQ(registry_.find_known("audit"), audit);
  EXPECT_EQ(registry_.take_parked("audit").get(), audit);
  EXPECT_EQ(registry_.take_parked("audit"), nullptr);
  EXPECT_EQ(registry_.known().size(), 1U);
}

TEST_F(DestinationRegistryTest, AReservedHandleIsEmptyUntilItIsFilled) {
  const DestinationHandle handle = registry_.reserve();
  EXPECT_EQ(registry_.find(handle), nullptr);
  EXPECT_EQ(registry_.size(), 0U);
  EXPECT_NE(add("audit"), handle);
}

TEST_F(DestinationRegistryTest, IsInTheOrderOfTheConfigurationAndTheOthersAfterIt) {
  for (const char* name : {"a", "b", "c", "d"}) add(name);
  registry_.order_by({"d", "unknown", "b"});
  EXPECT_EQ(names(), (Names{"d", "b", "a", "c"}));
}

}  // namespace
}  // namespace outrider::sidecar
