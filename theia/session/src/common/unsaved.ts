/** Text that nobody has saved yet, and its copy on the volume. */

/** Where the back end is asked about it. */
export const UNSAVED_PATH = '/services/coditect/unsaved';
export const UnsavedServer = Symbol('UnsavedServer');

/** Longest text that is copied, in UTF-16 units: what is longer is saved by the autosave or not at all. */
export const LONGEST_UNSAVED = 4 * 1024 * 1024;

/** A copy, as it is found again. */
export interface Unsaved {
    /** Of the file, or of a document that never had one (`untitled:`). */
    readonly uri: string;
    /** The text as it was in the editor. */
    readonly text: string;
    /** When it was copied, ISO 8601 in UTC. */
    readonly at: string;
    /** What has become of the file since this text was begun. */
    readonly file: FileNow;
}

export type FileNow =
    /** It is what it was: the text belongs into it. */
    | 'unchanged'
    /** It holds other text now, or is gone: neither may be lost. */
    | 'changed'
    /** It holds this very text. */
    | 'saved'
    /** There is no file: the document never had one. */
    | 'none';

/** What is to be done with a copy when the IDE opens. */
export type Return = 'apply' | 'beside' | 'untitled' | 'forget';

/** The decision. It never overwrites what somebody else wrote, and never drops what nobody else has. */
export function howToReturn(unsaved: Pick<Unsaved, 'file'>): Return {
    switch (unsaved.file) {
        case 'unchanged': return 'apply';
        case 'changed': return 'beside';
        case 'none': return 'untitled';
        case 'saved': return 'forget';
    }
}

/** The back end's part: it keeps copies and knows the files. */
export interface UnsavedServer {
    /** Keeps a copy; one a document, the newest. Done when it is on the volume. */
    keep(uri: string, text: string): Promise<void>;
    /** Forgets it: the document was saved, or closed without saving. */
    forget(uri: string): Promise<void>;
    /** All that are kept. */
    all(): Promise<Unsaved[]>;
}
