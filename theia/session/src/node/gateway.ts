import * as http from 'node:http';
import { Word } from './activity';

/** Where the gateway listens for the pod's other containers, if the environment does not say. */
const INSIDE = '127.0.0.1:8081';
/** How long it may take, in milliseconds. */
const PATIENCE = 10_000;

/** The gateway of this pod, by its port on loopback. */
export class Gateway {
    private readonly host: string;
    private readonly port: number;

    /** @param address `host:port`; by default what `CODITECT_INSIDE` says, or `127.0.0.1:8081` */
    constructor(address: string = process.env.CODITECT_INSIDE || INSIDE) {
        const { hostname, port } = new URL(`http://${address}`);
        this.host = hostname.replace(/^\[|\]$/g, '');
        this.port = Number(port) || 80;
    }

    /** Says what happens here. Fails if the gateway does not take it. */
    say(word: Word): Promise<void> {
        const body = Buffer.from(JSON.stringify(word));
        return new Promise((resolve, reject) => {
            const request = http.request({
                host: this.host,
                port: this.port,
                path: '/activity',
                method: 'PUT',
                agent: false,
                timeout: PATIENCE,
                headers: { 'content-type': 'application/json', 'content-length': body.length }
            }, response => {
                response.resume();
                response.on('end', () => response.statusCode === 204
                    ? resolve()
                    : reject(new Error(`the gateway answered ${response.statusCode} to what the IDE said of its use`)));
                response.on('error', reject);
            });
            request.on('timeout', () => request.destroy(new Error('the gateway does not answer')));
            request.on('error', reject);
            request.end(body);
        });
    }
}
