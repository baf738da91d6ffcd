/** Files that the browser keeps for the person. */

/** What takes a file's pieces, one after the other. */
export interface Sink { write: (piece: Uint8Array<ArrayBuffer>) => Promise<void>; done: () => Promise<void>; drop: () => Promise<void> }

interface Picker { showSaveFilePicker?: (options: { suggestedName: string }) => Promise<{ createWritable: () => Promise<FileSystemWritableFileStream> }> }

/** Hands a whole file to the browser's downloads. */
export function keep(name: string, file: Blob): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads it after the click; a minute is ample.
  setTimeout(() => { URL.revokeObjectURL(url); }, 60_000);
}

/** Where a large file goes: straight to a file of the person's choice where the browser can, else through memory. Null: the person chose none. */
export async function sink(name: string, type: string): Promise<Sink | null> {
  const picker = (globalThis as Picker).showSaveFilePicker;
  if (picker) {
    try {
      const stream = await (await picker.call(globalThis, { suggestedName: name })).createWritable();
      return { write: (piece) => stream.write(piece), done: () => stream.close(), drop: () => stream.abort() };
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return null;
      // A frame, or a policy of the browser's: by way of memory.
    }
  }
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  return {
    write: (piece) => { pieces.push(piece); return Promise.resolve(); },
    done: () => { keep(name, new Blob(pieces, { type })); return Promise.resolve(); },
    drop: () => Promise.resolve(),
  };
}

/** Moves an answer's body into `to`; tells how many bytes have come. What breaks off leaves no file. */
export async function pour(body: ReadableStream<Uint8Array<ArrayBuffer>>, to: Sink, heard: (bytes: number) => void): Promise<void> {
  const reader = body.getReader();
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      await to.write(value);
      bytes += value.length;
      heard(bytes);
    }
  } catch (error) {
    await to.drop().catch(() => undefined);
    throw error;
  }
  await to.done();
}
