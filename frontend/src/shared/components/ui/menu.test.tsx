import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { expect, it, vi } from "vitest";
import { ThemeProvider } from "@/shared/theme/provider";
import { Menu } from "./menu";

it("a menu is opened, walked through, used and left by keyboard", async () => {
  const user = userEvent.setup();
  const rename = vi.fn();
  render(<ThemeProvider><MemoryRouter><Menu label="More" entries={[{ label: "Rename", act: rename }, { label: "Delete", act: vi.fn() }]}>…</Menu></MemoryRouter></ThemeProvider>);
  const trigger = screen.getByRole("button", { name: "More" });
  await user.tab();
  await user.keyboard("{Enter}");
  expect(document.activeElement?.textContent).toBe("Rename");
  await user.keyboard("{ArrowDown}");
  expect(document.activeElement?.textContent).toBe("Delete");
  await user.keyboard("{ArrowDown}{Enter}");
  expect(rename).toHaveBeenCalledOnce();
  expect(document.activeElement).toBe(trigger);
  await user.keyboard("{Enter}{Escape}");
  expect(screen.queryByRole("menu")).toBeNull();
  expect(document.activeElement).toBe(trigger);
});
