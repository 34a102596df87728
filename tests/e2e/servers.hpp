// Real servers in front of a receiver, from Debian's packages, each in a folder of the test's own.
#pragma once

#include "e2e/e2e_fixture.hpp"
#include "support/certificate.hpp"
#include "support/fault_receiver.hpp"

namespace outrider::test {

/// Nobody listened on it a moment ago.
inline std::string free_port() {
  return std::to_string(FaultReceiver().port());
}

inline bool is_listening(const std::string& port) {
  return run({"/usr/bin/python3", "-c",
              "import socket,sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])))", port})
             .status == 0;
}

/// nginx with one TLS server, which hands all requests on.
class Nginx {
 public:
  /// `server` and `http` are further lines of those blocks.
  Nginx(const TempDir& dir, const std::string& upstream_url, const std::string& server = {},
        const std::string& http = {})
      : port_(free_port()),
        error_log_(dir.file("error.log")),
        certificate_(make_certificate(dir.path(), "IP:127.0.0.1", "nginx")),
        words_(
            {"/usr/sbin/nginx", "-p", dir.path(), "-e", error_log_, "-c", dir.file("nginx.conf")}) {
    std::string paths;
    for (const char* name : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      paths += std::string(" ") + name + "_temp_path " + dir.file(name) + ";";
    }
    write_file(dir.file("nginx.conf"),
               "daemon off; master_process on; worker_processes 1; pid " + dir.file("nginx.pid") +
                   "; error_log " + error_log_ + ";\nevents {}\nhttp { access_log off;" + paths +
                   "\n client_max_body_size 8m; client_body_buffer_size 8m;\n " + http +
                   "\n server { listen 127.0.0.1:" + port_ + " ssl; ssl_certificate " +
                   certificate_.cert_file + "; ssl_certificate_key " + certificate_.key_file +
                   ";\n location / { proxy_pass " + upstream_url + "; " + server + " } } }\n");
    start();
  }
  /// Its workers would outlive a master that is killed.
  ~Nginx() { stop(); }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;

  void start() {
    process_ = std::make_unique<Process>(words_);
    EXPECT_TRUE(eventually([&] { return is_listening(port_); })) << error_log();
  }
  void stop() {
    process_->signal(SIGTERM);
    EXPECT_TRUE(process_->wait());
  }
  void reload() { process_->signal(SIGHUP); }

  std::string url() const { return "https://127.0.0.1:" + port_ + "/events"; }
  const std::string& ca_file() const { return certificate_.cert_file; }
  std::string error_log() const { return read_file(error_log_); }

 private:
  std::string port_;
  std::string error_log_;
  Certificate certificate_;
  std::vector<std::string> words_;
  std::unique_ptr<Process> process_;
};

/// Caddy with one site, certified by its internal authority, which hands all requests on.
class Caddy {
 public:
  Caddy(const TempDir& dir, int upstream_port)
      : port_(free_port()), config_(dir.file("Caddyfile")), home_(dir.path()) {
    write_file(config_, "{\n admin unix/" + admin() +
                            "\n skip_install_trust\n auto_https disable_redirects\n"
                            " servers {\n  protocols h1 h2\n }\n}\nhttps://localhost:" +
                            port_ +
                            " {\n bind 127.0.0.1\n tls internal\n reverse_proxy 127.0.0.1:" +
                            std::to_string(upstream_port) + "\n}\n");
    start();
  }

  void start() {
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"/usr/bin/caddy", "run", "--config", config_},
        Process::Options{.environment = {"HOME=" + home_, "XDG_DATA_HOME=" + home_,
                                         "XDG_CONFIG_HOME=" + home_}});
    EXPECT_TRUE(eventually([&] {
      return std::filesystem::exists(ca_file()) && is_listening(port_);
    })) << process_->text(Process::Stream::err);
  }
  void stop() {
    process_->signal(SIGTERM);
    EXPECT_TRUE(process_->wait());
  }
  void reload() {
    const Finished reload = run({"/usr/bin/caddy", "reload", "--force", "--config", config_,
                                 "--address", "unix/" + admin()});
    EXPECT_EQ(reload.status, 0) << reload.err;
  }

  std::string url() const { return "https://localhost:" + port_ + "/events"; }
  std::string ca_file() const { return home_ + "/caddy/pki/authorities/local/root.crt"; }

 private:
  std::string admin() const { return "/" + home_ + "/admin.sock"; }

  std::string port_;
  std::string config_;
  std::string home_;
  std::unique_ptr<Process> process_;
};

}  // namespace outrider::test
