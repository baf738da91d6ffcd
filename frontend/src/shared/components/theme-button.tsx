import { type Theme, useTheme } from "@/shared/theme/color-mode";
import { Menu, icons } from "./ui";

const names: Record<Theme, string> = { system: "As the system", light: "Light", dark: "Dark" };

export function ThemeButton() {
  const { theme, choose } = useTheme();
  return (
    <Menu label={`Theme: ${names[theme]}`} look="quiet" square entries={(Object.keys(names) as Theme[]).map((one) => ({ label: `${names[one]}${one === theme ? " ✓" : ""}`, act: () => { choose(one); } }))}>
      {icons.theme}
    </Menu>
  );
}
