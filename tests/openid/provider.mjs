// A certified OpenID provider (oidc-provider) with one client, which must use PKCE; anybody signs in by any name.
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "coditect-here", client_secret: "secret-of-the-test", redirect_uris: [redirect], grant_types: ["authorization_code"], response_types: ["code"] }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== "unverified", name: "Ada of the provider" }) }),
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ["of the test"] },
});
provider.listen(Number(port), "127.0.0.1", () => { console.log("ready"); });
