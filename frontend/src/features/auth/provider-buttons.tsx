import { useQuery } from "@tanstack/react-query";
import { providers } from "@/shared/api/person";
import { Button, Link, Stack, Text } from "@/shared/components/ui";
import { startOf } from "./providers";

/** The ways in by others' sign-ins; nothing where none is switched on. `signingUp`: the person agrees to the terms by it. */
export function ProviderButtons({ signingUp }: { signingUp: boolean }) {
  const { data } = useQuery({ queryKey: ["providers"], queryFn: providers, staleTime: Infinity });
  if (!data?.length) return null;
  return (
    <Stack gap="2" marginTop="4">
      {data.map(({ provider, title, start_url: url }) => (
        <Button key={provider} onClick={() => { location.assign(startOf(url, signingUp)); }}>{signingUp ? "Sign up" : "Sign in"} with {title}</Button>
      ))}
      {signingUp && <Text quiet small>Signing up with a provider, you agree to the <Link to="/terms" target="_blank">terms</Link>.</Text>}
    </Stack>
  );
}
