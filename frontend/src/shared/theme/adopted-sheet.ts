interface Options {
  key: string;
  container?: Node;
  speedy?: boolean;
}

/**
 * Where rules go: a constructed style sheet, not a `<style>` element, so that the page's policy may refuse every inline
 * style (`style-src 'self'`). The same face as Emotion's own sheet, which makes others of it by `constructor`.
 */
export class AdoptedSheet {
  isSpeedy = true;
  nonce: string | undefined = undefined;
  before: Element | null = null;
  tags: HTMLStyleElement[] = [];
  ctr = 0;
  key: string;
  container: Node;
  private sheet = new CSSStyleSheet();

  constructor(options: Options) {
    this.key = options.key;
    this.container = options.container ?? document.head;
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.sheet];
  }

  hydrate(): void {
    // Nothing is rendered on the server.
  }

  insert(rule: string): void {
    try {
      this.sheet.insertRule(rule, this.sheet.cssRules.length);
      this.ctr += 1;
    } catch {
      // A rule for another browser, such as a vendor's pseudo-element: this one does not need it.
    }
  }

  flush(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
    this.sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.sheet];
    this.ctr = 0;
  }
}
