// Which languages the editor knows without any extension: their names, files, comments and colours, as a VS Code
// extension without code. Microsoft's own built-in extensions are in no package registry that we build from; the
// grammars are, collected from their projects by `tm-grammars`.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const c = { lineComment: '//', blockComment: ['/*', '*/'] };
const hash = { lineComment: '#' };
const markup = { blockComment: ['<!--', '-->'] };

/** Language id, grammar, names, files, comments. */
const TABLE = [
  ['javascript', 'javascript', ['JavaScript'], ['.js', '.mjs', '.cjs'], c],
  ['javascriptreact', 'jsx', ['JavaScript JSX'], ['.jsx'], c],
  ['typescript', 'typescript', ['TypeScript'], ['.ts', '.mts', '.cts'], c],
  ['typescriptreact', 'tsx', ['TypeScript JSX'], ['.tsx'], c],
  ['json', 'json', ['JSON'], ['.json', '.webmanifest', '.map'], c],
  ['jsonc', 'jsonc', ['JSON with Comments'], ['.jsonc', '.code-workspace', 'tsconfig.json', 'settings.json', 'tasks.json', 'launch.json'], c],
  ['html', 'html', ['HTML'], ['.html', '.htm'], markup],
  ['css', 'css', ['CSS'], ['.css'], { blockComment: ['/*', '*/'] }],
  ['scss', 'scss', ['SCSS'], ['.scss'], c],
  ['less', 'less', ['Less'], ['.less'], c],
  ['markdown', 'markdown', ['Markdown'], ['.md', '.markdown'], markup],
  ['xml', 'xml', ['XML'], ['.xml', '.svg', '.xsd', '.xslt'], markup],
  // Grammars of these two are to be had without a stated licence only: no colours.
  ['yaml', undefined, ['YAML'], ['.yaml', '.yml'], hash],
  ['toml', undefined, ['TOML'], ['.toml', 'Cargo.lock'], hash],
  ['ini', 'ini', ['Ini'], ['.ini', '.cfg', '.conf', '.editorconfig'], { lineComment: ';' }],
  ['python', 'python', ['Python'], ['.py', '.pyi'], hash],
  ['rust', 'rust', ['Rust'], ['.rs'], c],
  ['go', 'go', ['Go'], ['.go'], c],
  ['java', 'java', ['Java'], ['.java'], c],
  ['kotlin', 'kotlin', ['Kotlin'], ['.kt', '.kts'], c],
  ['swift', 'swift', ['Swift'], ['.swift'], c],
  ['c', 'c', ['C'], ['.c', '.h'], c],
  ['cpp', 'cpp', ['C++'], ['.cpp', '.cc', '.cxx', '.hpp', '.hh'], c],
  ['csharp', 'csharp', ['C#'], ['.cs'], c],
  ['php', 'php', ['PHP'], ['.php'], c],
  ['ruby', 'ruby', ['Ruby'], ['.rb', 'Gemfile', 'Rakefile'], hash],
  ['lua', 'lua', ['Lua'], ['.lua'], { lineComment: '--' }],
  ['r', 'r', ['R'], ['.r', '.R'], hash],
  ['sql', 'sql', ['SQL'], ['.sql'], { lineComment: '--', blockComment: ['/*', '*/'] }],
  ['shellscript', 'shellscript', ['Shell Script', 'bash'], ['.sh', '.bash', '.zsh', '.bashrc', '.profile'], hash],
  ['powershell', 'powershell', ['PowerShell'], ['.ps1', '.psm1'], hash],
  ['dockerfile', 'docker', ['Dockerfile'], ['.dockerfile', 'Dockerfile'], hash],
  ['makefile', 'make', ['Makefile'], ['.mk', 'Makefile', 'GNUmakefile'], hash],
  ['diff', 'diff', ['Diff'], ['.diff', '.patch'], hash],
  ['graphql', 'graphql', ['GraphQL'], ['.graphql', '.gql'], hash],
];

/** Licences under which a grammar may be shipped. */
const LICENCES = new Set(['MIT', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'ISC', 'CC0-1.0', 'Unlicense']);

/** The extension's files by name. */
export async function languages() {
  const { grammars: all } = await import('tm-grammars');
  const about = new Map(all.map(grammar => [grammar.name, grammar]));
  const files = {};
  const manifest = {
    name: 'coditect-languages',
    displayName: 'Languages',
    description: 'Names, comments and colours of common languages.',
    version: '0.1.0',
    publisher: 'coditect',
    license: 'Apache-2.0',
    engines: { vscode: '^1.80.0' },
    contributes: { languages: [], grammars: [] },
  };
  const notices = ['The grammars in this folder come from these projects, by way of tm-grammars:', ''];
  const needed = new Set(TABLE.map(([, grammar]) => grammar).filter(Boolean));
  // A grammar refers to others that are embedded in it; those that nobody lists come along without a language, if they
  // may be shipped. Markdown embeds every language there is: those of the table must do.
  for (const name of needed) {
    for (const embedded of name === 'markdown' ? [] : about.get(name)?.embedded ?? []) {
      if (LICENCES.has(about.get(embedded)?.license)) {
        needed.add(embedded);
      }
    }
  }
  for (const [id, , aliases, names, comments] of TABLE) {
    const configuration = `configurations/${id}.json`;
    manifest.contributes.languages.push({
      id,
      aliases,
      extensions: names.filter(name => name.startsWith('.')),
      filenames: names.filter(name => !name.startsWith('.')),
      configuration: `./${configuration}`,
    });
    files[configuration] = JSON.stringify({
      comments,
      brackets: [['{', '}'], ['[', ']'], ['(', ')']],
      autoClosingPairs: ['{}', '[]', '()', '""', "''", '``'].map(([open, close]) => ({ open, close, notIn: ['string', 'comment'] })),
      surroundingPairs: ['{}', '[]', '()', '""', "''", '``'].map(([open, close]) => [open, close]),
    });
  }
  for (const name of [...needed].sort()) {
    const grammar = about.get(name);
    if (!grammar || !LICENCES.has(grammar.license)) {
      throw new Error(`the grammar ${name} ${grammar ? `has the licence ${grammar.license}: look whether it may be shipped` : 'is not in tm-grammars'}`);
    }
    const text = await readFile(require.resolve(`tm-grammars/grammars/${name}.json`), 'utf8');
    const { scopeName } = JSON.parse(text);
    files[`syntaxes/${name}.json`] = text;
    const language = TABLE.find(([, of]) => of === name)?.[0];
    manifest.contributes.grammars.push({ ...(language && { language }), scopeName, path: `./syntaxes/${name}.json` });
    notices.push(`${name}: ${grammar.source} (${grammar.license})`);
  }
  files['package.json'] = JSON.stringify(manifest, undefined, 2);
  files['NOTICE.txt'] = `${notices.join('\n')}\n`;
  return files;
}
