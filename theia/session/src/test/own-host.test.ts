import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOwnHost, tokenCookie } from '../common/own-host';

const known = new Set(['calm-lake.workspaces.localhost:8080']);
const uuid = '00001013-3d41-4b7a-8c55-19e06fa2b713';

test('the workspace and its webviews are known by their names, and nobody else', () => {
    for (const host of ['calm-lake.workspaces.localhost:8080', 'Calm-Lake.workspaces.localhost:8080', `w-${uuid}-calm-lake.workspaces.localhost:8080`]) {
        assert.ok(isOwnHost(host, known), host);
    }
    for (const host of [undefined, '', '127.0.0.1:3000', 'evil.example:8080', 'calm-lake.workspaces.localhost', `w-${uuid}-other.workspaces.localhost:8080`, 'w-x-calm-lake.workspaces.localhost:8080']) {
        assert.ok(!isOwnHost(host, known), host);
    }
});

test('without known names every host is fine', () => {
    assert.ok(isOwnHost('127.0.0.1:3000', new Set()));
});

test('the cookie is one that a browser keeps for a page within a page', () => {
    const [pair, ...attributes] = tokenCookie('token', 'x').split('; ');
    assert.equal(pair, 'token=x');
    assert.deepEqual(attributes.sort(), ['HttpOnly', 'Partitioned', 'Path=/', 'SameSite=None', 'Secure']);
});
