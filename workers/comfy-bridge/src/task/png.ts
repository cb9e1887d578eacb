// PNG as ComfyUI writes it: its size, and what it tells of the workflow, which stored bytes never carry (DESIGN G8).
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const TELLS = new Set(["tEXt", "iTXt", "zTXt"]);

const isPng = (bytes: Buffer): boolean => bytes.length > 33 && bytes.subarray(0, 8).equals(SIGNATURE);

export function imageSize(bytes: Buffer): { width: number; height: number } | undefined {
  return isPng(bytes) ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } : undefined;
}

/** The same picture without its text chunks; other bytes, and a PNG that is cut off, as they are. */
export function withoutText(bytes: Buffer): Buffer {
  if (!isPng(bytes)) return bytes;
  const kept: Buffer[] = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    if (at + 12 > bytes.length) return bytes;
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) return bytes;
    if (!TELLS.has(bytes.toString("latin1", at + 4, at + 8))) kept.push(bytes.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}
