/** The product's colours in the editor, light and dark: the same tokens as its pages. */

interface Tones {
    readonly ground: string;
    readonly raised: string;
    readonly sunken: string;
    readonly line: string;
    readonly text: string;
    readonly quiet: string;
    readonly accent: string;
    readonly onAccent: string;
    readonly chosen: string;
    readonly good: string;
    readonly warning: string;
    readonly bad: string;
    /** Of code: words, text, numbers, names of types, names of functions. */
    readonly word: string;
    readonly string: string;
    readonly number: string;
    readonly type: string;
    readonly call: string;
}

export const LIGHT: Tones = {
    ground: '#ffffff', raised: '#f5f7fa', sunken: '#eceff4', line: '#d5dae3', text: '#1c2330', quiet: '#5b6578',
    accent: '#1f5fd0', onAccent: '#ffffff', chosen: '#dbe7fb', good: '#1b7a3d', warning: '#8a5a00', bad: '#b3261e',
    word: '#7a2fa8', string: '#1b6e3a', number: '#a3470b', type: '#0b6b7f', call: '#1f5fd0'
};

export const DARK: Tones = {
    ground: '#12161d', raised: '#1a2029', sunken: '#0d1015', line: '#333c4b', text: '#e6e9ef', quiet: '#9aa5b8',
    accent: '#7aa7ff', onAccent: '#0d1015', chosen: '#26344d', good: '#79d494', warning: '#e6b455', bad: '#ff8a80',
    word: '#c79bf2', string: '#8fd6a4', number: '#f0a878', type: '#6fcfe0', call: '#8fb5ff'
};

/** A theme in VS Code's form. */
export function themeOf(tones: Tones): { name: string; colors: Record<string, string>; tokenColors: object[] } {
    const t = tones;
    const token = (scope: string[], foreground: string, fontStyle?: string) => ({ scope, settings: { foreground, ...(fontStyle && { fontStyle }) } });
    return {
        name: tones === LIGHT ? 'Coditect Light' : 'Coditect Dark',
        colors: {
            'foreground': t.text, 'descriptionForeground': t.quiet, 'disabledForeground': t.quiet, 'errorForeground': t.bad, 'icon.foreground': t.quiet,
            'focusBorder': t.accent, 'selection.background': t.chosen, 'widget.border': t.line, 'contrastBorder': '#00000000',
            'textLink.foreground': t.accent, 'textLink.activeForeground': t.accent, 'textCodeBlock.background': t.sunken, 'textPreformat.foreground': t.text,
            'textBlockQuote.background': t.raised, 'textBlockQuote.border': t.line, 'textSeparator.foreground': t.line,
            'button.background': t.accent, 'button.foreground': t.onAccent, 'button.hoverBackground': t.accent,
            'button.secondaryBackground': t.sunken, 'button.secondaryForeground': t.text, 'button.secondaryHoverBackground': t.line,
            'badge.background': t.accent, 'badge.foreground': t.onAccent, 'progressBar.background': t.accent,
            'input.background': t.ground, 'input.foreground': t.text, 'input.border': t.line, 'input.placeholderForeground': t.quiet,
            'inputOption.activeBorder': t.accent, 'inputOption.activeBackground': t.chosen, 'inputOption.activeForeground': t.text,
            'dropdown.background': t.ground, 'dropdown.foreground': t.text, 'dropdown.border': t.line,
            'checkbox.background': t.ground, 'checkbox.foreground': t.text, 'checkbox.border': t.line,
            'list.activeSelectionBackground': t.chosen, 'list.activeSelectionForeground': t.text, 'list.inactiveSelectionBackground': t.sunken,
            'list.inactiveSelectionForeground': t.text, 'list.hoverBackground': t.sunken, 'list.hoverForeground': t.text, 'list.focusBackground': t.chosen,
            'list.focusForeground': t.text, 'list.highlightForeground': t.accent, 'list.errorForeground': t.bad, 'list.warningForeground': t.warning,
            'tree.indentGuidesStroke': t.line, 'scrollbar.shadow': '#00000000', 'scrollbarSlider.background': `${t.quiet}55`,
            'scrollbarSlider.hoverBackground': `${t.quiet}88`, 'scrollbarSlider.activeBackground': `${t.quiet}aa`,
            'activityBar.background': t.raised, 'activityBar.foreground': t.text, 'activityBar.inactiveForeground': t.quiet, 'activityBar.border': t.line,
            'activityBar.activeBorder': t.accent, 'activityBarBadge.background': t.accent, 'activityBarBadge.foreground': t.onAccent,
            'sideBar.background': t.raised, 'sideBar.foreground': t.text, 'sideBar.border': t.line, 'sideBarTitle.foreground': t.text,
            'sideBarSectionHeader.background': t.raised, 'sideBarSectionHeader.foreground': t.text, 'sideBarSectionHeader.border': t.line,
            'editorGroup.border': t.line, 'editorGroupHeader.tabsBackground': t.raised, 'editorGroupHeader.tabsBorder': t.line,
            'tab.activeBackground': t.ground, 'tab.activeForeground': t.text, 'tab.inactiveBackground': t.raised, 'tab.inactiveForeground': t.quiet,
            'tab.border': t.line, 'tab.activeBorderTop': t.accent, 'tab.unfocusedActiveForeground': t.text, 'tab.unfocusedInactiveForeground': t.quiet,
            'breadcrumb.foreground': t.quiet, 'breadcrumb.focusForeground': t.text, 'breadcrumb.activeSelectionForeground': t.text,
            'editor.background': t.ground, 'editor.foreground': t.text, 'editorLineNumber.foreground': t.quiet, 'editorLineNumber.activeForeground': t.text,
            'editorCursor.foreground': t.accent, 'editor.selectionBackground': t.chosen, 'editor.lineHighlightBackground': `${t.sunken}99`,
            'editor.findMatchBackground': `${t.warning}66`, 'editor.findMatchHighlightBackground': `${t.warning}33`, 'editorWhitespace.foreground': t.line,
            'editorIndentGuide.background1': t.line, 'editorIndentGuide.activeBackground1': t.quiet, 'editorBracketMatch.border': t.quiet,
            'editorError.foreground': t.bad, 'editorWarning.foreground': t.warning, 'editorInfo.foreground': t.accent,
            'editorWidget.background': t.raised, 'editorWidget.foreground': t.text, 'editorWidget.border': t.line,
            'editorSuggestWidget.background': t.raised, 'editorSuggestWidget.border': t.line, 'editorSuggestWidget.selectedBackground': t.chosen,
            'editorHoverWidget.background': t.raised, 'editorHoverWidget.border': t.line, 'editorGutter.addedBackground': t.good,
            'editorGutter.modifiedBackground': t.accent, 'editorGutter.deletedBackground': t.bad,
            'peekViewEditor.background': t.raised, 'peekViewResult.background': t.raised, 'peekView.border': t.accent,
            'panel.background': t.ground, 'panel.border': t.line, 'panelTitle.activeForeground': t.text, 'panelTitle.inactiveForeground': t.quiet,
            'panelTitle.activeBorder': t.accent, 'statusBar.background': t.raised, 'statusBar.foreground': t.quiet, 'statusBar.border': t.line,
            'statusBar.noFolderBackground': t.raised, 'statusBar.debuggingBackground': t.chosen, 'statusBar.debuggingForeground': t.text,
            'statusBarItem.hoverBackground': t.sunken, 'statusBar.offlineBackground': t.bad, 'statusBar.offlineForeground': t.ground,
            'titleBar.activeBackground': t.raised, 'titleBar.activeForeground': t.text, 'titleBar.border': t.line,
            'menubar.selectionBackground': t.sunken, 'menubar.selectionForeground': t.text, 'menu.background': t.raised, 'menu.foreground': t.text,
            'menu.border': t.line, 'menu.selectionBackground': t.chosen, 'menu.selectionForeground': t.text, 'menu.separatorBackground': t.line,
            'quickInput.background': t.raised, 'quickInput.foreground': t.text, 'notifications.background': t.raised, 'notifications.foreground': t.text,
            'notifications.border': t.line, 'terminal.background': t.ground, 'terminal.foreground': t.text, 'terminalCursor.foreground': t.accent,
            'terminal.selectionBackground': t.chosen,
            'terminal.ansiBlack': tones === LIGHT ? t.text : t.line, 'terminal.ansiRed': t.bad, 'terminal.ansiGreen': t.good, 'terminal.ansiYellow': t.warning,
            'terminal.ansiBlue': t.accent, 'terminal.ansiMagenta': t.word, 'terminal.ansiCyan': t.type, 'terminal.ansiWhite': tones === LIGHT ? t.quiet : t.text,
            'terminal.ansiBrightBlack': t.quiet, 'terminal.ansiBrightRed': t.bad, 'terminal.ansiBrightGreen': t.good, 'terminal.ansiBrightYellow': t.warning,
            'terminal.ansiBrightBlue': t.call, 'terminal.ansiBrightMagenta': t.word, 'terminal.ansiBrightCyan': t.type, 'terminal.ansiBrightWhite': t.text
        },
        tokenColors: [
            token(['comment', 'punctuation.definition.comment'], t.quiet, 'italic'),
            token(['string', 'string.regexp', 'markup.inline.raw', 'markup.fenced_code'], t.string),
            token(['constant.numeric', 'constant.language', 'constant.character', 'constant.other', 'variable.other.enummember'], t.number),
            token(['keyword', 'storage', 'storage.type', 'storage.modifier', 'variable.language'], t.word),
            token(['keyword.operator', 'punctuation'], t.text),
            token(['keyword.operator.new', 'keyword.operator.expression', 'keyword.operator.logical.python'], t.word),
            token(['entity.name.type', 'entity.name.class', 'support.type', 'support.class', 'entity.other.inherited-class', 'entity.name.namespace'], t.type),
            token(['entity.name.function', 'support.function', 'meta.function-call entity.name.function'], t.call),
            token(['entity.name.tag', 'support.type.property-name', 'meta.object-literal.key'], t.call),
            token(['entity.other.attribute-name'], t.type),
            token(['invalid', 'markup.deleted'], t.bad),
            token(['markup.inserted'], t.good),
            token(['markup.heading', 'entity.name.section'], t.accent, 'bold'),
            token(['markup.bold'], t.text, 'bold'),
            token(['markup.italic'], t.text, 'italic'),
            token(['markup.underline.link'], t.accent, 'underline')
        ]
    };
}
