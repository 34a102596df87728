#include "sidecar/http/secret_mask.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

constexpr std::size_t all = 1000;

TEST(SecretMask, HidesASecretHoweverItIsWritten) {
  const SecretMask mask({"a+b/\"c&'d \xc3\xa9%"});
  for (const char* written : {
           "a+b/\"c&'d \xc3\xa9%",
           "a%2Bb%2F%22c%26%27d%20%C3%A9%25",
           "a%2bb%2f%22c%26'd+%c3%a9%25",
           "a+b\\/\\\"c\\u0026\\u0027d \\u00e9%",
           "a&#43;b&#x2F;&quot;c&amp;&#39;d &#xe9;&#37;",
           "YStiLyJjJidkIMOpJQ==",
           "YStiLyJjJidkIMOpJQ",
           "YStiLyJjJidkIMOpJQ%3D%3D",
       }) {
    EXPECT_EQ(mask.hide("<" + std::string(written) + ">", all), "<***>") << written;
  }
  EXPECT_EQ(mask.hide("a+b/\"c&'d", 3), "***") << "the text ends in it";
}

/// A url holds it encoded, and a receiver may show the value that it read.
TEST(SecretMask, HidesWhatASecretStandsFor) {
  const SecretMask mask({"SECRET%2Fa+b%c3%a9"});
  for (const char* written : {
           "SECRET%2Fa+b%c3%a9",
           "SECRET%252Fa+b%25c3%25a9",
           "SECRET/a b\xc3\xa9",
           "SECRET/a+b\xc3\xa9",
           "SECRET%2fa%2Bb%C3%A9",
           "SECRET%2Fa%20b%C3%A9",
           "SECRET\\/a b\\u00e9",
           "SECRET&#x2F;a b&#xe9;",
           "U0VDUkVUL2EgYsOp",
           "U0VDUkVUL2ErYsOp",
       }) {
    EXPECT_EQ(mask.hide("<" + std::string(written) + ">", all), "<***>") << written;
  }
  EXPECT_EQ(mask.hide("SECRET/a", all), "***") << "the text ends in it";
  EXPECT_EQ(SecretMask({"%41bc"}).hide("Abc", all), "Abc") << "too short to tell";
  EXPECT_EQ(SecretMask({"1%zz%4"}).hide("1%zz%4 1zz", all), "*** 1zz");
}

TEST(SecretMask, DecodesBase64) {
  EXPECT_EQ(base64_decoded("bWU6cDRzcw=="), "me:p4ss");
  EXPECT_EQ(base64_decoded("bWU6cDRzcw"), "me:p4ss");
  EXPECT_EQ(base64_decoded("/+9A"), "\xff\xef@");
  EXPECT_EQ(base64_decoded("bWU6!DRzcw=="), "");
  EXPECT_EQ(base64_decoded(""), "");
}

TEST(SecretMask, LooksBeforeItCuts) {
  const SecretMask mask({"s3cret-of-some-length"});
  for (std::size_t cut = 1; cut < 40; ++cut) {
    const std::string shown = mask.hide("0123456789 s3cret-of-some-length 0123456789", cut);
    EXPECT_EQ(shown, std::string("0123456789 *** 0123456789").substr(0, cut));
  }
}

TEST(SecretMask, HidesWhatATextEndsIn) {
  const SecretMask mask({"s3cret/of&length"});
  EXPECT_EQ(mask.hide("no: s3cr", all), "no: ***");
  EXPECT_EQ(mask.hide("no: s3cret%2", all), "no: ***");
  EXPECT_EQ(mask.hide("no: s3cret\\u00", all), "no: ***");
  EXPECT_EQ(mask.hide("no: s3cret%2fof&a", all), "no: ***");
  EXPECT_EQ(mask.hide("no: s3c", all), "no: s3c") << "too short to tell";
  EXPECT_EQ(mask.hide("no: s3cret is none", all), "no: s3cret is none");
}

TEST(SecretMask, TheLongestHidesFirst) {
  const SecretMask mask({"user:passw0rd", "passw0rd"});
  EXPECT_EQ(mask.hide("user:passw0rd passw0rd dXNlcjpwYXNzdzByZA==", all), "*** *** ***");
}

TEST(SecretMask, LeavesOtherTextsAlone) {
  const SecretMask short_one({"abc"});
  EXPECT_EQ(short_one.hide("abc", all), "abc");
  EXPECT_EQ(short_one.context_bytes(), 0U);
  const SecretMask mask({"s3cret"});
  for (const char* text :
       {"", "%", "%4", "\\", "\\u12", "&", "&#", "&#;", "&#xzz;", "100% + \\n"}) {
    EXPECT_EQ(mask.hide(text, all), text);
  }
  EXPECT_EQ(SecretMask().hide("text", 2), "te");
}

}  // namespace
}  // namespace outrider::sidecar
