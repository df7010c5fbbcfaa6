/**
 * The merged configuration of an httpd as a tree: all included files, conditions evaluated, macros
 * expanded. Parsed from `httpd -t -D DUMP_CONFIG`, which mod_info prints.
 */

/** A line of a file. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A use of a macro (mod_macro). */
export interface MacroUse {
  /** In lower case. */
  readonly name: string;
  readonly definedAt: Place;
  readonly usedAt: Place;
}

/** A directive or, with children, a section such as `<Location "/a">`. */
export interface Directive {
  /** E.g. `Require`, or `Location` for a section. */
  readonly name: string;
  /** As written; {@link splitWords} takes them apart. */
  readonly args: string;
  /** The line in the file, or in the macro of a file, that holds the directive. */
  readonly place: Place;
  /** The macros that wrote the directive, outermost first; empty for a line of a file. */
  readonly macros: readonly MacroUse[];
  readonly isSection: boolean;
  readonly children: readonly Directive[];
}

/** Where a directive comes from, as the dump says it in front of the directive. */
interface Source {
  readonly file: string;
  readonly macros: readonly MacroUse[];
}

/**
 * Parses a dump. A section ends where the indentation does: an empty one has no closing tag. Lines
 * that it cannot interpret are skipped.
 */
export function parseConfigTree(text: string): Directive[] {
  const root: Directive[] = [];
  const open: { indent: number; children: Directive[] }[] = [{ indent: -1, children: root }];
  let source: Source = { file: "", macros: [] };
  let line = 0;
  for (const raw of text.split("\n")) {
    const written = raw.trim();
    const file = /^# In file: (.*)$/.exec(written)?.[1];
    const number = /^#\s*(\d+):$/.exec(written)?.[1];
    if (file !== undefined) source = parseSource(file);
    else if (number !== undefined) line = Number(number);
    else if (/^[^#<\s]|^<[^/]/.test(written)) add(written, raw.search(/\S/));
  }
  return root;

  function add(written: string, indent: number): void {
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
    const children: Directive[] = [];
    const place = placeOf(source, line);
    const directive = { ...readLine(written), place, macros: source.macros, children };
    open.at(-1)?.children.push(directive);
    if (directive.isSection) open.push({ indent, children });
  }
}

/** A directive or the opening tag of a section, without white space around; a comment has no name. httpd ignores what follows a tag. */
export function readLine(written: string): Pick<Directive, "name" | "args" | "isSection"> {
  const [, section, sectionArgs = ""] = /^<([^/\s>][^\s>]*)\s*(.*)>[^>]*$/s.exec(written) ?? [];
  const [, word = "", rest = ""] = /^([^#\s]\S*)\s*(.*)$/s.exec(written) ?? [];
  const isSection = section !== undefined;
  return { name: section ?? word, args: (isSection ? sectionArgs : rest).trim(), isSection };
}

/** The first line of a macro follows its `<Macro>` line. */
function placeOf({ file, macros }: Source, line: number): Place {
  const innermost = macros.at(-1);
  if (!innermost) return { file, line };
  const { definedAt } = innermost;
  return { file: definedAt.file, line: definedAt.line + line };
}

/** `macro 'a' (defined on line 1 of "f") used on line 2 of "macro 'b' (…) used on line 3 of "g""`. */
function parseSource(text: string): Source {
  const [, name, definedLine, rest = ""] =
    /^macro '([^']*)' \(defined on line (\d+) of "(.*)$/s.exec(text) ?? [];
  if (name === undefined) return { file: text, macros: [] };
  const middle = findMiddle(rest);
  const [, usedLine, user = ""] =
    /^"\) used on line (\d+) of "(.*)"$/s.exec(rest.slice(middle)) ?? [];
  if (usedLine === undefined) return { file: text, macros: [] };
  const definition = parseSource(rest.slice(0, middle));
  const use = parseSource(user);
  const macro: MacroUse = {
    name: name.toLowerCase(),
    definedAt: placeOf(definition, Number(definedLine)),
    usedAt: placeOf(use, Number(usedLine)),
  };
  return { file: definition.file, macros: [...use.macros, macro] };
}

/** The end of the definition, which may itself be in a macro, with a pair of brackets of its own. */
function findMiddle(text: string): number {
  let depth = 0;
  for (const { index, 0: token } of text.matchAll(
    /\(defined on line \d+ of "|"\) used on line /g,
  )) {
    if (token.startsWith("(")) depth += 1;
    else if (depth === 0) return index;
    else depth -= 1;
  }
  return text.length;
}

/** Words as httpd reads them: separated by white space, quoted with `"` or `'`. */
export function splitWords(args: string): string[] {
  const words = args.matchAll(/"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|(\S+)/gs);
  return [...words].map(([, double, single, plain = ""]) =>
    double !== undefined
      ? double.replaceAll(/\\(["\\])/g, "$1")
      : single !== undefined
        ? single.replaceAll(/\\(['\\])/g, "$1")
        : plain,
  );
}

/** All directives of a tree, sections before their content. */
export function* walk(tree: readonly Directive[]): Generator<Directive> {
  for (const directive of tree) {
    yield directive;
    yield* walk(directive.children);
  }
}

/** Whether a directive has a name, whatever its case. */
export function isNamed(directive: Directive, ...names: readonly string[]): boolean {
  const name = directive.name.toLowerCase();
  return names.some((each) => each.toLowerCase() === name);
}
