import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ThemeProvider } from "@/shared/theme/provider";
import { useSession } from "@/shared/session/session";
import { destination } from "./actions";
import { LoginForm } from "./login-form";

const answer = (status: number, body: object) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });

function shown(onDone = vi.fn()) {
  render(<ThemeProvider><MemoryRouter><LoginForm onDone={onDone} /></MemoryRouter></ThemeProvider>);
  return onDone;
}

async function fill() {
  const user = userEvent.setup();
  await user.type(screen.getByLabelText("E-mail"), "ada@example.com");
  await user.type(screen.getByLabelText("Password"), "not the password");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
}

describe("signing in", () => {
  beforeEach(() => { useSession.setState({ status: "out", token: null, account: null }); });

  it("says what is wrong, with the request's id, and keeps what was typed", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(answer(401, { type: "/problems/unauthenticated", title: "Who is calling is not known", detail: "e-mail or password is wrong", request_id: "r-17", status: 401 })));
    const done = shown();
    await fill();
    expect((await screen.findByRole("alert")).textContent).toContain("E-mail or password is wrong.");
    expect(screen.getByText("r-17")).toBeTruthy();
    expect(screen.getByLabelText<HTMLInputElement>("Password").value).toBe("not the password");
    expect(done).not.toHaveBeenCalled();
  });

  it("puts an error at its field", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(answer(422, { type: "/problems/invalid-input", errors: [{ field: "email", detail: "must hold an @" }] })));
    shown();
    await fill();
    expect(await screen.findByText("This must hold an @.")).toBeTruthy();
    expect(screen.getByLabelText("E-mail").getAttribute("aria-invalid")).toBe("true");
  });

  it("keeps the token in memory and nowhere else", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(answer(200, { access_token: "a.b.c", expires_in: 300, token_type: "Bearer" })));
    const done = shown();
    await fill();
    await vi.waitFor(() => { expect(done).toHaveBeenCalled(); });
    expect(useSession.getState().token?.value).toBe("a.b.c");
    expect(JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie).not.toContain("a.b.c");
  });
});

describe("signing in with a second factor", () => {
  it("asks for the code, sends it with the challenge, and signs in", async () => {
    useSession.setState({ status: "out", token: null, account: null });
    const sent: unknown[] = [];
    vi.stubGlobal("fetch", async (request: Request) => {
      sent.push(await request.json());
      return request.url.endsWith("/second-factor")
        ? answer(200, { access_token: "a.b.c", expires_in: 300, token_type: "Bearer" })
        : answer(403, { type: "/problems/second-factor-required", title: "A second factor is asked for", status: 403, challenge: "c.1" });
    });
    const done = shown();
    await fill();
    const code = await screen.findByLabelText("Code");
    expect(document.activeElement).toBe(code);
    expect(done).not.toHaveBeenCalled();
    const user = userEvent.setup();
    await user.type(code, "123456");
    await user.click(screen.getByRole("button", { name: "Sign in" }));
    await vi.waitFor(() => { expect(done).toHaveBeenCalled(); });
    expect(sent[1]).toEqual({ challenge: "c.1", code: "123456" });
    expect(useSession.getState().status).toBe("in");
  });
});

describe("destination", () => {
  it("is a page of this app, never another address", () => {
    expect(destination("/ide/1")).toBe("/ide/1");
    for (const foreign of ["//evil.test", "/\\evil.test", "https://evil.test", "javascript:alert(1)", "", null]) expect(destination(foreign)).toBe("/dashboard");
  });
});
