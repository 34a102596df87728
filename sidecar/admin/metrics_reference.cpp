#include <string>
#include <string_view>

#include "sidecar/admin/metrics.hpp"
#include "sidecar/admin/metrics_rows.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view page_head = R"(# Metrics

<!-- Generated from the tables in sidecar/admin/metrics_rows.cpp by `./dev docs`; do not edit. -->

The admin interface serves all metrics at `/metrics`, as Prometheus text (format 0.0.4). This page lists
every one of them. `/metrics` needs no token and holds no event and no secret.

Prometheus does not read Unix sockets. Set `[admin] listen` to a loopback address, for example
`tcp://127.0.0.1:9464`, with a `token_file` for everything but `/metrics` and the health of the sidecar.
Then add the address to prometheus.yml:

```yaml
rule_files: [outrider.rules.yml]
scrape_configs:
  - job_name: outrider
    static_configs:
      - targets: ["127.0.0.1:9464"]
```

To read the metrics from the Unix socket, as its owner:

```
curl --unix-socket /run/outrider/admin.sock http://localhost/metrics
```

Ready to use:

| file | content |
| --- | --- |
| [prometheus/outrider.rules.yml](prometheus/outrider.rules.yml) | Alerts. [runbook.md](runbook.md) has a section for each. |
| [prometheus/outrider.dashboard.json](prometheus/outrider.dashboard.json) | A Grafana dashboard. |

Rules that hold for all metrics:

* Counters start at 0 with the process and never fall within it.
* A reason or a status class has its line from the start, also while it is 0. Only the reasons that
  clients report appear later.
* A value that is not known has no line. It is never 0 instead.
* The figures of one destination are taken at the same moment. So this always holds:

      events_accepted_total = events_delivered_total + events_dropped_total (all reasons)
                            + events_dead_total (all reasons) + events_queued + events_in_flight
                            + events_spooled + events_scheduled

* If the loop hangs, `/metrics` still answers: with the last figures, and their age in
  `outrider_snapshot_age_seconds`.
* All numbers are written exactly. Prometheus itself stores them as floating point numbers, which are exact up
  to 2^53.
* A destination has at most 41 lines and 2 histograms of 8 buckets. An answer has room for 68,100 lines:
  1024 destinations and 1024 schedules fit. Beyond that, destinations and schedules are left out whole.
* The limits of queues, the urls of a destination and the last error of each are in `/v1/destinations`.
)";

std::string labels_of(const MetricGroup& group, const MetricHead& metric) {
  std::string labels;
  for (const std::string_view label : {group.item_label, metric.label}) {
    if (label.empty()) continue;
    if (!labels.empty()) labels += ", ";
    labels.append(label);
  }
  return labels;
}

}  // namespace

std::string metrics_reference() {
  std::string page(page_head);
  for (const MetricGroup& group : metric_groups()) {
    page.append("\n## ").append(group.title).append("\n\n").append(group.text);
    page += "\n\n| name | type | labels | meaning |\n| --- | --- | --- | --- |\n";
    for (const MetricHead& metric : group.metrics) {
      page.append("| `").append(metric.name).append("` | ").append(name_of(metric.type));
      page.append(" | ").append(labels_of(group, metric)).append(" | ");
      page.append(metric.help).append(" |\n");
    }
  }
  return page;
}

}  // namespace outrider::sidecar
