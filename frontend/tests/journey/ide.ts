import type { FrameLocator, Locator, Page } from "playwright-core";

/** The IDE in the web app's page, as a person finds their way in it. */
export class Ide {
  private readonly frame: FrameLocator;

  constructor(readonly page: Page) {
    this.frame = page.frameLocator("iframe[title^='Editor of']");
  }

  /** Until it is there to be used. */
  async opened(): Promise<void> {
    await this.explorer.waitFor({ timeout: 120_000 });
  }

  private get explorer(): Locator {
    return this.frame.locator("#files");
  }

  /** A file or folder in the file tree. */
  entry(name: string): Locator {
    return this.explorer.locator(".theia-TreeNode").filter({ has: this.frame.getByText(name, { exact: true }) });
  }

  /** Opens a file by the file tree. */
  async open(name: string): Promise<void> {
    await this.entry(name).dblclick();
    await this.tab(name).waitFor();
  }

  /** The tab of what is open, by its name. */
  tab(name: string): Locator {
    return this.frame.locator("#theia-main-content-panel .lm-TabBar-tab").filter({ hasText: name });
  }

  /** The editor of a file that is open and in front. */
  editor(name: string): Locator {
    return this.frame.locator(`.monaco-editor[data-uri$="/${name}"]`).first();
  }

  /** Whether a file has text that is not saved yet. */
  unsaved(name: string): Locator {
    return this.frame.locator("#theia-main-content-panel .lm-TabBar-tab.theia-mod-dirty").filter({ hasText: name });
  }

  /** Types at the end of a file. */
  async append(name: string, text: string): Promise<void> {
    await this.editor(name).locator(".view-lines").click();
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.type(text);
  }

  /** Does what the menu bar offers. */
  async menu(...path: [string, ...string[]]): Promise<void> {
    const [first, ...rest] = path;
    await this.frame.locator("#theia-top-panel .lm-MenuBar-item").filter({ hasText: first }).click();
    for (const name of rest) await this.frame.locator(".lm-Menu-item").filter({ hasText: name }).first().click();
  }

  /** Does what a file's own menu offers. */
  async menuOf(name: string, item: string): Promise<void> {
    await this.entry(name).click({ button: "right" });
    await this.frame.locator(".lm-Menu-item").filter({ has: this.frame.getByText(item, { exact: true }) }).click();
  }

  /** Opens a terminal and says something in it. */
  async terminal(command: string): Promise<void> {
    const panel = this.frame.locator("#theia-bottom-content-panel");
    const tabs = panel.locator(".lm-TabBar-tab").filter({ hasText: "bash" });
    const before = await tabs.count();
    await this.menu("Terminal", "New Terminal");
    await tabs.nth(before).and(panel.locator(".lm-mod-current")).waitFor();
    // What is typed before the shell has drawn its prompt waits for it.
    await panel.locator(".terminal-container:not(.lm-mod-hidden) .xterm-helper-textarea:focus").waitFor({ state: "attached" });
    await this.page.keyboard.type(`${command}\n`);
  }

  /** The Markdown file in front, as it is meant to look. */
  async preview(): Promise<Locator> {
    await this.frame.locator("#theia-main-content-panel [title^='Open Preview']").first().click();
    return this.frame.locator(".coditect-markdown-preview");
  }

  /** A word in the status bar, by what a screen reader says. */
  status(words: string): Locator {
    return this.frame.locator("#theia-statusBar").getByLabel(words);
  }

  /** Where the keyboard's focus is, if it is in the editor. */
  get focused(): Locator {
    return this.frame.locator(":focus");
  }
}
