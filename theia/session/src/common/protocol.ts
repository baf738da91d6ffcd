/**
 * What a tab and the gateway say to each other on `/coditect/ws`, version 1: text frames, one JSON object each.
 * The gateway's side and its JSON Schema are in `sidecar/`; a test holds this file to that schema.
 */

/** The version spoken here. */
export const VERSION = 1;
/** Where the gateway speaks it, on the workspace's own origin. */
export const SOCKET_PATH = '/coditect/ws';
/** Most that the values of all keys may hold together, in bytes of JSON: the gateway's limit. */
export const MOST_SHARED_BYTES = 32 * 1024;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A shared value and its version, which grows with every change. */
export interface SharedEntry {
    readonly key: string;
    readonly version: number;
    readonly value: Json;
}

/** What a tab says. */
export type Said =
    | { readonly type: 'hello'; readonly version: number; readonly tab: string }
    | { readonly type: 'put'; readonly key: string; readonly base: number; readonly value: Json }
    | { readonly type: 'input' }
    | { readonly type: 'saved' };

/** What the gateway says, as far as this program listens. */
export type Tells =
    | { readonly type: 'welcome'; readonly version: number; readonly values: readonly SharedEntry[]; readonly tabs: readonly string[] }
    | { readonly type: 'tabs'; readonly tabs: readonly string[] }
    | { readonly type: 'kept'; readonly key: string; readonly version: number }
    | ({ readonly type: 'stale' } & SharedEntry)
    | ({ readonly type: 'changed' } & SharedEntry)
    | { readonly type: 'stopping'; readonly seconds: number };

/** What is to be done when the gateway has closed the connection. */
export type AfterClose =
    /** Try again soon: the network or the pod went. */
    | 'again'
    /** Try again, but not soon: it was too much or not understood. */
    | 'later'
    /** The login ended: only the web app can let this tab in again. */
    | 'shut-out'
    /** The gateway speaks another version: this page is older or newer than its pod. */
    | 'reload';

/** What a close code (RFC 6455 section 7.4, `sidecar/src/socket/protocol.rs`) asks for. */
export function afterClose(code: number): AfterClose {
    switch (code) {
        case 4401: return 'shut-out';
        case 4426: return 'reload';
        case 1003: case 1009: case 4400: case 4409: case 4410: case 4429: return 'later';
        default: return 'again';
    }
}

/** Reads a message; none if it is not one that this program knows: what is new in the protocol is passed over. */
export function readTells(text: string): Tells | undefined {
    let told: unknown;
    try {
        told = JSON.parse(text);
    } catch {
        return undefined;
    }
    if (!isRecord(told)) {
        return undefined;
    }
    switch (told.type) {
        case 'welcome':
            return isNumber(told.version) && isNames(told.tabs) && Array.isArray(told.values) && told.values.every(isEntry)
                ? told as unknown as Tells : undefined;
        case 'tabs': return isNames(told.tabs) ? told as unknown as Tells : undefined;
        case 'kept': return typeof told.key === 'string' && isNumber(told.version) ? told as unknown as Tells : undefined;
        case 'stale': case 'changed': return isEntry(told) ? told as unknown as Tells : undefined;
        case 'stopping': return isNumber(told.seconds) ? told as unknown as Tells : undefined;
        default: return undefined;
    }
}

function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
    return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isNames(value: unknown): boolean {
    return Array.isArray(value) && value.every(name => typeof name === 'string');
}

function isEntry(value: unknown): boolean {
    return isRecord(value) && typeof value.key === 'string' && isNumber(value.version) && 'value' in value;
}
