// Who vouches for whom: the product by its own authority, every other site of the tests by one of theirs.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const run = (program, ...args) => execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/** Key and certificate for `names`, given by an authority made in `folder`, whose own certificate is `authority`. */
export function certify(folder, names) {
  const file = (name) => join(folder, name);
  // As a leaf is no authority, whatever the machine's configuration of openssl says.
  writeFileSync(file("openssl.cnf"), "[req]\ndistinguished_name = none\n[none]\n[authority]\nbasicConstraints = critical, CA:TRUE\n[leaf]\nbasicConstraints = CA:FALSE\nsubjectAltName = ${ENV::NAMES}\n");
  process.env.NAMES = names.map((name) => `DNS:${name}`).join(",");
  run("openssl", "req", "-x509", "-config", file("openssl.cnf"), "-extensions", "authority", ...CURVE, "-keyout", file("other.key"), "-out", file("other.pem"), "-subj", "/CN=other sites of a test");
  run("openssl", "req", "-x509", "-config", file("openssl.cnf"), "-extensions", "leaf", "-CA", file("other.pem"), "-CAkey", file("other.key"), ...CURVE, "-keyout", file("leaf.key"), "-out", file("leaf.pem"), "-subj", "/CN=other site");
  return { authority: file("other.pem"), key: readFileSync(file("leaf.key")), cert: readFileSync(file("leaf.pem")) };
}

/** Makes a browser trust these authorities (PEM files) that keeps its certificates in the folder `store`. */
export function trust(store, authorities) {
  mkdirSync(store, { recursive: true });
  run("certutil", "-d", `sql:${store}`, "-N", "--empty-password");
  for (const [at, file] of authorities.entries()) run("certutil", "-d", `sql:${store}`, "-A", "-t", "C,,", "-n", `authority ${at}`, "-i", file);
}
