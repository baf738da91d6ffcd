import { chakra } from "@chakra-ui/react";
import { type ReactNode, useId } from "react";
import { icons } from "./icons";

const shape = {
  base: {
    width: "100%", minHeight: "10", paddingInline: "3", fontSize: "md", color: "fg", bg: "bg", borderWidth: "1px", borderColor: "border.strong", borderRadius: "md",
    _placeholder: { color: "fg.muted" }, "&[aria-invalid=true]": { borderColor: "bad" },
  },
} as const;
export const Input = chakra("input", shape);
export const Select = chakra("select", shape);

interface FieldProps extends React.ComponentProps<typeof Input> {
  label: string;
  hint?: string | undefined;
  /** What is wrong with it, as a sentence. */
  error?: string | undefined;
  aside?: ReactNode;
}

/** An input with its name, a hint, and what is wrong with it. */
export function Field({ label, hint, error, aside, ...input }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <chakra.div display="grid" gap="1.5">
      <chakra.div display="flex" justifyContent="space-between" gap="2" fontSize="sm">
        <chakra.label htmlFor={id} fontWeight="medium">{label}</chakra.label>
        {aside}
      </chakra.div>
      <Input id={id} aria-invalid={error ? true : undefined} aria-describedby={described || undefined} {...input} />
      {hint && <chakra.p id={`${id}-hint`} fontSize="sm" color="fg.muted">{hint}</chakra.p>}
      {error && <chakra.p id={`${id}-error`} fontSize="sm" color="bad" display="flex" gap="1.5" alignItems="center">{icons.failed}{error}</chakra.p>}
    </chakra.div>
  );
}

/** Yes or no, with a sentence that may hold links. */
export function Check({ children, error, ...input }: React.ComponentProps<typeof chakra.input> & { error?: string | undefined }) {
  const id = useId();
  return (
    <chakra.div display="grid" gap="1">
      <chakra.div display="flex" gap="2.5" alignItems="flex-start" fontSize="sm">
        <chakra.input type="checkbox" id={id} marginTop="3px" width="4" height="4" flexShrink={0} accentColor="{colors.accent}" aria-invalid={error ? true : undefined} aria-describedby={error ? `${id}-error` : undefined} {...input} />
        <label htmlFor={id}>{children}</label>
      </chakra.div>
      {error && <chakra.p id={`${id}-error`} fontSize="sm" color="bad">{error}</chakra.p>}
    </chakra.div>
  );
}

interface ChoiceProps extends React.ComponentProps<typeof Select> {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  options: readonly (readonly [value: string, text: string])[];
}

/** One of a few, with its name. */
export function Choice({ label, hint, error, options, ...select }: ChoiceProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <chakra.div display="grid" gap="1.5">
      <chakra.label htmlFor={id} fontSize="sm" fontWeight="medium">{label}</chakra.label>
      <Select id={id} aria-invalid={error ? true : undefined} aria-describedby={described || undefined} {...select}>
        {options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </Select>
      {hint && <chakra.p id={`${id}-hint`} fontSize="sm" color="fg.muted">{hint}</chakra.p>}
      {error && <chakra.p id={`${id}-error`} fontSize="sm" color="bad" display="flex" gap="1.5" alignItems="center">{icons.failed}{error}</chakra.p>}
    </chakra.div>
  );
}

/** Several inputs that answer one question. */
export function Group({ legend, hint, error, aside, children }: { legend: string; hint?: string; error?: string | undefined; aside?: ReactNode; children: ReactNode }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <chakra.div role="group" aria-labelledby={id} aria-describedby={described || undefined} display="grid" gap="2.5">
      <chakra.div display="flex" justifyContent="space-between" alignItems="center" flexWrap="wrap" gap="2" fontSize="sm"><chakra.span id={id} fontWeight="medium">{legend}</chakra.span>{aside}</chakra.div>
      {hint && <chakra.p id={`${id}-hint`} fontSize="sm" color="fg.muted">{hint}</chakra.p>}
      {children}
      {error && <chakra.p id={`${id}-error`} fontSize="sm" color="bad" display="flex" gap="1.5" alignItems="center">{icons.failed}{error}</chakra.p>}
    </chakra.div>
  );
}
