// A self-signed certificate for tests, made by the openssl command; it is its own authority, so a
// client that is given its file as ca_file trusts it.
#pragma once

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace outrider::test {

struct Certificate {
  std::string cert_file;
  std::string key_file;
};

/// Writes NAME.crt and NAME.key to `directory`. `subject_alt_name` as openssl takes it:
/// "IP:127.0.0.1" or "DNS:localhost"; `key` as it takes a new one, "rsa:2048".
inline Certificate make_certificate(
    const std::string& directory, const std::string& subject_alt_name = "IP:127.0.0.1",
    const std::string& name = "server",
    const std::string& key = "ec -pkeyopt ec_paramgen_curve:prime256v1") {
  const std::string base = directory + "/" + name;
  const std::string command = "openssl req -x509 -newkey " + key +
                              " -nodes -days 2 -subj /CN=" + name +
                              " -addext subjectAltName=" + subject_alt_name + " -keyout " + base +
                              ".key -out " + base + ".crt 2>/dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("cannot run: " + command);
  return {base + ".crt", base + ".key"};
}

/// The same, but its time was the January of 2020.
inline Certificate make_expired_certificate(const std::string& directory,
                                            const std::string& name = "expired") {
  const std::string base = directory + "/" + name;
  const std::string authority = base + ".ca";
  std::ofstream(authority + ".txt");
  std::ofstream(authority) << "[ca]\ndefault_ca=d\n[d]\ndatabase=" << authority
                           << ".txt\nnew_certs_dir=" << directory
                           << "\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
                              "x509_extensions=e\n[p]\ncommonName=supplied\n"
                              "[e]\nsubjectAltName=IP:127.0.0.1\n";
  const std::string command =
      "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name +
      " -keyout " + base + ".key -out " + base + ".csr 2>/dev/null && openssl ca -batch -notext" +
      " -selfsign -config " + authority + " -in " + base + ".csr -keyfile " + base + ".key -out " +
      base + ".crt -startdate 20200101000000Z -enddate 20200131000000Z 2>/dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("cannot run: " + command);
  return {base + ".crt", base + ".key"};
}

}  // namespace outrider::test
