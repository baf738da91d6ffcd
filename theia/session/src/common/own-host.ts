/**
 * Whether a request names a host under which this workspace is known: its own, or one of its webviews', one label deep
 * beside it. A name that merely leads to this machine (DNS rebinding) is nobody's. Without known hosts, as in a pod
 * whose gateway alone reaches the IDE, every host is fine.
 * @param host the `Host` header
 * @param known `host` or `host:port`, as browsers write it
 */
export function isOwnHost(host: string | undefined, known: ReadonlySet<string>): boolean {
    if (known.size === 0) {
        return true;
    }
    const name = (host ?? '').toLowerCase();
    return known.has(name) || known.has(name.replace(/^w-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-/, ''));
}

/**
 * The cookie by which the back end knows pages that it served. The workspace stands in a frame of the web app, which
 * is another site: browsers keep and send it there only with these attributes (RFC 6265bis, CHIPS). That no foreign page
 * uses it is the gateway's and the origin check's business.
 */
export function tokenCookie(name: string, token: string): string {
    return `${name}=${token}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`;
}
