// verify.mjs PACKAGES_DIR SIGN_WEBHOOK: signs with our program, verifies with others' code: v1 with
// the package `standardwebhooks`, v1a with node's crypto.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

const [packages, signWebhook] = process.argv.slice(2);
const { Webhook } = createRequire(path.join(packages, "package.json"))("standardwebhooks");

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "outrider."));
process.on("exit", () => fs.rmSync(directory, { recursive: true }));
const now = Math.floor(Date.now() / 1000);
let checks = 0;

/** The headers that our program gives for the body. */
function sign(secrets, body, id = "0190a5c6-0000-7000-8000-000000000001", timestamp = now) {
  const keys = path.join(directory, "keys");
  fs.writeFileSync(keys, secrets.join("\n") + "\n");
  const text = execFileSync(signWebhook, [keys, id, String(timestamp)], { input: body });
  return Object.fromEntries(
    text.toString().trim().split("\n").map((line) => line.split(": ")),
  );
}

function hmacSecret(bytes) {
  return "whsec_" + crypto.randomBytes(bytes).toString("base64");
}

function accepts(secret, body, headers) {
  new Webhook(secret).verify(body, headers, { jsonParse: false });
  checks += 1;
}

function refuses(secret, body, headers) {
  assert.throws(() => new Webhook(secret).verify(body, headers), /No matching signature/);
  checks += 1;
}

function ed25519Pair() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync("ed25519");
  const { d, x } = privateKey.export({ format: "jwk" });
  const [seed, open] = [d, x].map((text) => Buffer.from(text, "base64url"));
  return {
    publicKey,
    seed: "whsk_" + seed.toString("base64"),
    seedAndPublic: "whsk_" + Buffer.concat([seed, open]).toString("base64"),
  };
}

/** Whether any v1a signature of the headers is that of the key. */
function hasEd25519(publicKey, body, headers) {
  checks += 1;
  const signed = Buffer.concat([
    Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`),
    Buffer.from(body),
  ]);
  return headers["webhook-signature"]
    .split(" ")
    .map((signature) => signature.split(","))
    .filter(([version]) => version === "v1a")
    .some(([, text]) => crypto.verify(null, signed, publicKey, Buffer.from(text, "base64")));
}

const bodies = ["{}", '[{"name":"Zoë ☃","amount":49.99}]', JSON.stringify("x".repeat(1 << 20)), ""];

for (const bytes of [16, 24, 25, 32, 64, 65, 512]) {
  const secret = hmacSecret(bytes);
  for (const body of bodies) {
    const headers = sign([secret], body);
    accepts(secret, body, headers);
    refuses(secret, body + " ", headers);
    refuses(secret, body, { ...headers, "webhook-id": "another" });
    refuses(secret, body, { ...headers, "webhook-timestamp": String(now - 1) });
    refuses(hmacSecret(24), body, headers);
  }
}

// A secret without its prefix, and an id that needs the full stop taken out.
const bare = crypto.randomBytes(24).toString("base64");
accepts(bare, "{}", sign([bare], "{}"));
const dotted = sign([bare], "{}", "order.42");
assert.equal(dotted["webhook-id"], "order%2E42");
accepts(bare, "{}", dotted);

// During a change of keys each receiver finds the signature that it knows.
const [newest, oldest] = [hmacSecret(32), hmacSecret(24)];
const pair = ed25519Pair();
for (const body of bodies) {
  const headers = sign([newest, pair.seedAndPublic, oldest], body);
  assert.deepEqual(
    headers["webhook-signature"].split(" ").map((signature) => signature.split(",")[0]),
    ["v1", "v1a", "v1"],
  );
  accepts(newest, body, headers);
  accepts(oldest, body, headers);
  refuses(hmacSecret(32), body, headers);
  assert(hasEd25519(pair.publicKey, body, headers));
  assert(!hasEd25519(pair.publicKey, body + " ", headers));
  assert(!hasEd25519(ed25519Pair().publicKey, body, headers));
  assert(hasEd25519(pair.publicKey, body, sign([pair.seed], body)));
}

// Bodies that are no text, as msgpack's.
const binary = crypto.randomBytes(100_000);
assert(hasEd25519(pair.publicKey, binary, sign([pair.seed], binary)));

console.log(`${checks} signatures checked`);
