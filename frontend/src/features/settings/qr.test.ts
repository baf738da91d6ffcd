import { expect, it } from "vitest";
import { drawn } from "./qr";

it("a QR code has its three corners, and light around them", () => {
  const { size, path } = drawn("otpauth://totp/Coditect:ada@example.com?secret=MZXW6YTBOI2DGNBVGY3TQOJQGEZDGNBV&issuer=Coditect");
  // 17 + 4 × version squares, and four light ones at each side (ISO/IEC 18004).
  expect((size - 8 - 17) % 4).toBe(0);
  for (const [x, y] of [[4, 4], [size - 11, 4], [4, size - 11]]) expect(path).toContain(`M${x} ${y}h7v1h-7z`);
  expect(path.startsWith("M4 4h7")).toBe(true);
});
