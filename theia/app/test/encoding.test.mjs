import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detect } from 'jschardet';

const bytes = (...parts) => Buffer.concat(parts.map(part => Buffer.from(part)));

test('what is UTF-8 is told from what is not, wherever the look ends', () => {
  assert.equal(detect(bytes('Grüße, 世界')).encoding, 'UTF-8');
  assert.equal(detect(bytes('Grüße').subarray(0, 3)).encoding, 'ascii', 'a character cut in two says nothing yet');
  assert.equal(detect(bytes('é', 'Grüße').subarray(0, 5)).encoding, 'UTF-8');
  assert.equal(detect(bytes('plain')).encoding, 'ascii');
  assert.equal(detect(bytes('Gr', [0xfc, 0xdf], 'e')).encoding, 'windows-1252');
});
