import js from "@eslint/js";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

// One direction: app → features → shared. What is beside it in its folder is imported by `./`, everything else by `@/`.
const climbing = { group: ["../*"], message: "import by `@/…`, so that the direction of imports shows" };
const chakra = { group: ["@chakra-ui/*", "@emotion/*"], message: "the styling library stays behind `@/shared/components/ui`" };
const features = { group: ["@/features/*", "@/features/**"], message: "a feature knows no other one; what they share belongs to `@/shared`" };
const app = { group: ["@/app/*", "@/app/**"], message: "the app imports features, never the other way" };
const only = (...patterns) => ({ "no-restricted-imports": ["error", { patterns }] });

export default tseslint.config(
  { ignores: ["dist", "src/shared/api/schema.d.ts"] },
  js.configs.recommended,
  tseslint.configs.strict,
  reactHooks.configs.flat["recommended-latest"] ?? reactHooks.configs.flat.recommended,
  jsxA11y.flatConfigs.strict,
  {
    languageOptions: { globals: globals.browser },
    rules: {
      "no-console": "error",
      "@typescript-eslint/consistent-type-imports": "error",
    },
  },
  { files: ["scripts/**", "public/**", "*.config.*"], languageOptions: { globals: { ...globals.node, ...globals.browser } }, rules: { "no-console": "off" } },
  { files: ["src/app/**"], rules: only(climbing, chakra) },
  { files: ["src/features/**"], rules: only(climbing, chakra, app, features) },
  { files: ["src/shared/**"], rules: only(climbing, chakra, app, features) },
  { files: ["src/shared/components/ui/**", "src/shared/theme/**"], rules: only(climbing, app, features) },
);
