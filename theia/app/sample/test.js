// Run with `node --test`.
const { test } = require('node:test');
const assert = require('node:assert/strict');

const greeting = name => `Hello, ${name}!`;

test('a greeting names whom it greets', () => {
  assert.equal(greeting('workspace'), 'Hello, workspace!');
});
