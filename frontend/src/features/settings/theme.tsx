import { Box, Heading, Row, Text } from "@/shared/components/ui";
import { type Theme, useTheme } from "@/shared/theme/color-mode";

const choices: [Theme, string][] = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

export function ThemePart() {
  const { theme, choose } = useTheme();
  return (
    <>
      <Heading id="theme-heading">Theme</Heading>
      <Text quiet small>Kept in this browser.</Text>
      <Box role="radiogroup" aria-labelledby="theme-heading" display="grid" gap="2">
        {choices.map(([value, text]) => (
          <Row key={value} as="label" cursor="pointer"><input type="radio" name="theme" value={value} checked={theme === value} onChange={() => { choose(value); }} />{text}</Row>
        ))}
      </Box>
    </>
  );
}
