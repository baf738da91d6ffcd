import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { DARK, LIGHT, themeOf } from '../common/theme';

/** Contrast of two colours (WCAG 2.2, 1.4.3). */
function contrast(one: string, other: string): number {
    const luminance = (colour: string) => [1, 3, 5]
        .map(at => parseInt(colour.slice(at, at + 2), 16) / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}

for (const [name, tones] of [['light', LIGHT], ['dark', DARK]] as const) {
    test(`${name}: whatever is written can be read`, () => {
        const { text, quiet, accent, good, warning, bad, word, string, number, type, call } = tones;
        for (const [what, colour] of Object.entries({ text, quiet, accent, good, warning, bad, word, string, number, type, call })) {
            for (const ground of ['ground', 'raised'] as const) {
                assert.ok(contrast(colour, tones[ground]) >= 4.5, `${what} on ${ground}: ${contrast(colour, tones[ground]).toFixed(2)}`);
            }
        }
        assert.ok(contrast(tones.text, tones.chosen) >= 4.5);
        assert.ok(contrast(tones.text, tones.sunken) >= 4.5);
        assert.ok(contrast(tones.onAccent, tones.accent) >= 4.5);
    });

    test(`${name}: every colour is one`, () => {
        const { colors, tokenColors } = themeOf(tones);
        for (const [key, colour] of Object.entries(colors)) {
            assert.match(colour, /^#[0-9a-f]{6}([0-9a-f]{2})?$/, key);
        }
        assert.ok(tokenColors.length > 10);
    });
}
