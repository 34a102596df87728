// verify_request.mjs PACKAGES_DIR OUTRIDER: runs the sidecar, takes the requests that it really
// sends, and verifies them with others' code.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import crypto from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const [packages, outrider] = process.argv.slice(2);
const { Webhook } = createRequire(path.join(packages, "package.json"))("standardwebhooks");

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "outrider."));
const file = (name) => path.join(directory, name);
const endpoint = `ipc://${file("o.sock")}`;
const secrets = [32, 24].map((bytes) => "whsec_" + crypto.randomBytes(bytes).toString("base64"));
fs.writeFileSync(file("secrets"), secrets.join("\n"));

const requests = [];
const statuses = [503, 200]; // so the second request is the first one again
const receiver = http.createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  requests.push({ headers: request.headers, body });
  response.writeHead(statuses[requests.length - 1]).end();
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");

fs.writeFileSync(
  file("outrider.conf"),
  `[destination.hook]
url = http://127.0.0.1:${receiver.address().port}/events
signing_secret_file = ${file("secrets")}
retry_initial = 10ms
`,
);
const sidecar = spawn(
  outrider,
  ["run", "--config", file("outrider.conf"), `--ingest.endpoint=${endpoint}`],
  { stdio: ["ignore", "ignore", "pipe"] },
);
process.on("exit", () => {
  sidecar.kill("SIGKILL");
  fs.rmSync(directory, { recursive: true });
});
const ended = once(sidecar, "exit");
const ready = new Promise((resolve) => {
  createInterface({ input: sidecar.stderr }).on("line", (line) => {
    if (line.includes(" ready ")) resolve();
  });
});
await Promise.race([ready, ended]);

const data = { name: "Zoë ☃", amount: 49.99 };
const emit = ["emit", "--endpoint", endpoint, "orders.paid", JSON.stringify(data)];
await promisify(execFile)(outrider, emit);
sidecar.kill("SIGTERM");
assert.deepEqual(await ended, [0, null]);
receiver.close();

assert.equal(requests.length, 2);
for (const { headers, body } of requests) {
  for (const secret of secrets) {
    const webhook = new Webhook(secret);
    const [event] = webhook.verify(body.toString(), headers);
    assert.deepEqual(event.data, data);
    assert.equal(event.id, headers["webhook-id"]);
    const other = { ...headers, "webhook-id": "another" };
    assert.throws(() => webhook.verify(body.toString(), other), /No matching signature/);
    assert.throws(() => webhook.verify(body + " ", headers), /No matching signature/);
  }
}
const [first, again] = requests.map(({ headers, body }) => [headers["webhook-id"], body.toString()]);
assert.deepEqual(first, again);
console.log(`${requests.length} requests verified`);
