import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter, Route, Routes } from "react-router";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { useSession } from "@/shared/session/session";
import { ThemeProvider } from "@/shared/theme/provider";
import { Page } from "./identity-page";

const answer = (status: number, body: object) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });

function shown() {
  const pages = <Routes><Route path="/identity" element={<Page />} /><Route path="/dashboard" element="inside" /><Route path="/login" element="outside" /></Routes>;
  render(<QueryClientProvider client={new QueryClient()}><ThemeProvider><MemoryRouter initialEntries={["/identity#code=one"]}>{pages}</MemoryRouter></ThemeProvider></QueryClientProvider>);
}

describe("the end of a sign-in at a provider", () => {
  const sent: unknown[] = [];
  beforeEach(() => {
    useSession.setState({ status: "out", token: null, account: null });
    sent.length = 0;
    vi.stubGlobal("fetch", async (request: Request) => {
      sent.push(await request.json());
      return request.url.endsWith("/second-factor")
        ? answer(200, { access_token: "a.b.c", expires_in: 300, token_type: "Bearer" })
        : answer(403, { type: "/problems/second-factor-required", title: "A second factor is asked for", status: 403, challenge: "c.1" });
    });
  });

  it("asks for the second factor where the account has one", async () => {
    shown();
    const code = await screen.findByLabelText("Code");
    expect(useSession.getState().status).toBe("out");
    const user = userEvent.setup();
    await user.type(code, "123456");
    await user.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByText("inside")).toBeTruthy();
    expect(sent).toEqual([{ code: "one" }, { challenge: "c.1", code: "123456" }]);
    expect(useSession.getState().status).toBe("in");
  });

  it("leads who has no code back to where one signs in", async () => {
    shown();
    await screen.findByLabelText("Code");
    await userEvent.setup().click(screen.getByRole("button", { name: "Begin again" }));
    expect(await screen.findByText("outside")).toBeTruthy();
  });
});
