import { readFile } from "node:fs/promises";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Visit, closeBrowser, settled, visit } from "./browser";
import { type World, ago, ok, plain, problem } from "./world";

let present: Visit | undefined;
afterEach(async () => { await present?.end(); });
afterAll(closeBrowser);

async function at(path: string, prepare: (world: World) => void = () => undefined): Promise<Visit> {
  present = await visit(prepare);
  await present.page.addInitScript("delete globalThis.showSaveFilePicker");
  await present.page.goto(path);
  await settled(present.page);
  return present;
}

const KEY = { id: "k1", name: "backup", prefix: "coditect_7k3fmA", scopes: ["workspaces:read"], created_at: ago(0), expires_at: ago(-90 * 86_400), used_at: null };

describe("an API key", () => {
  it("asks for the password only when it is needed, is shown once, and is revoked after a question", async () => {
    const { world, page } = await at("/settings/api-keys", (one) => { one.answers["POST /api/v5/me/api-keys"] = problem(422, "invalid-input", "not acceptable", { errors: [{ field: "password", detail: "is needed" }] }); });
    await page.getByText("No key yet").waitFor();
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("What is it for?").fill("backup");
    await page.getByRole("checkbox", { name: /See who you are/ }).uncheck();
    expect(await page.getByLabel("Your password").count()).toBe(0);
    await page.getByRole("button", { name: "Make the key" }).click();
    await page.getByLabel("Your password").waitFor();
    expect(await page.getByLabel("Your password").evaluate((one) => one === document.activeElement)).toBe(true);
    expect(await page.getByLabel("What is it for?").inputValue()).toBe("backup");
    world.answers["POST /api/v5/me/api-keys"] = { status: 201, body: { ...KEY, secret: "coditect_7k3fmAxyz" } };
    world.answers["GET /api/v5/me/api-keys"] = ok({ items: [KEY] });
    await page.getByLabel("Your password").fill("correct horse battery");
    await page.keyboard.press("Enter");
    await page.getByText("coditect_7k3fmAxyz").waitFor();
    const sent = world.bodies("POST /api/v5/me/api-keys") as { scopes: string[]; password?: string }[];
    expect(sent.map(({ password }) => password)).toEqual([undefined, "correct horse battery"]);
    expect(sent[1]?.scopes).toEqual(["workspaces:read", "sessions:read", "files:read", "tenant:read"]);
    await page.getByRole("button", { name: "I have kept it" }).click();
    expect(await page.getByText("coditect_7k3fmAxyz").count()).toBe(0);
    await page.getByRole("button", { name: "Revoke backup" }).click();
    expect(world.count("DELETE /api/v5/me/api-keys/k1")).toBe(0);
    world.answers["DELETE /api/v5/me/api-keys/k1"] = { status: 204, body: null };
    world.answers["GET /api/v5/me/api-keys"] = ok({ items: [] });
    await page.getByRole("button", { name: "Revoke it" }).click();
    await page.getByText("No key yet").waitFor();
    expect(world.count("DELETE /api/v5/me/api-keys/k1")).toBe(1);
  });
});

describe("everything of a person", () => {
  it.each(["/settings/data", "/settings/account"])("is downloaded as a file from %s", async (path) => {
    const { page, complaints } = await at(path, (one) => { one.answers["GET /api/v5/me/export"] = plain("as if it were an archive"); });
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download everything" }).click();
    const file = await coming;
    expect(file.suggestedFilename()).toMatch(/^coditect-\d{4}-\d\d-\d\d\.tar\.gz$/);
    expect(await readFile(await file.path(), "utf8")).toBe("as if it were an archive");
    await page.getByText("Done: 24 B.").waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("recovery codes", () => {
  it("stand alone until they are kept, as a file, and on paper", async () => {
    const { world, page } = await at("/settings/second-factor", (one) => {
      one.answers["GET /api/v5/me/second-factor"] = ok({ enabled: false, recovery_codes_left: 0 });
      one.answers["POST /api/v5/me/second-factor"] = ok({ secret: "MZXW6YTB", uri: "otpauth://totp/Coditect:ada?secret=MZXW6YTB" });
      one.answers["POST /api/v5/me/second-factor/confirm"] = ok({ recovery_codes: ["AAAA-BBBB", "CCCC-DDDD"] });
    });
    await page.getByLabel("Your password").fill("correct horse battery");
    await page.getByRole("button", { name: "Set it up" }).click();
    await page.getByRole("img", { name: /to be scanned/ }).waitFor();
    await page.getByLabel("Code").fill("123456");
    world.answers["GET /api/v5/me/second-factor"] = ok({ enabled: true, recovery_codes_left: 2 });
    await page.getByRole("button", { name: "Switch it on" }).click();
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    expect(await readFile(await (await coming).path(), "utf8")).toContain("AAAA-BBBB\nCCCC-DDDD\n");
    await page.emulateMedia({ media: "print" });
    expect(await page.getByText("AAAA-BBBB").isVisible()).toBe(true);
    expect(await page.getByRole("button", { name: "Print" }).isVisible()).toBe(false);
    await page.emulateMedia({ media: "screen" });
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByRole("button", { name: "Switch it off" }).waitFor();
    expect(await page.getByText("AAAA-BBBB").count()).toBe(0);
  });
});
