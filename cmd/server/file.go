package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// maxFile is how long a configuration file may be; longer is something else.
const maxFile = 1 << 20

// fromFile sets what the configuration file says. Errors name the line, because people mend files, not programs.
func (o *options) fromFile() error {
	text, err := readText(o.file)
	if err != nil {
		return err
	}
	seen := map[string]int{} // line of each setting
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := o.fromLine(line, n, seen); err != nil {
			return fmt.Errorf("%s:%d: %w", o.file, n, err)
		}
	}
	return nil
}

func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("configuration: %w", err)
	case len(b) > maxFile || !utf8.Valid(b):
		return "", fmt.Errorf("configuration: %s is not a text file with settings", path)
	}
	return strings.TrimPrefix(string(b), "\ufeff"), nil // which Windows' editor writes
}

func (o *options) fromLine(line string, n int, seen map[string]int) error {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	name, value, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	switch {
	case !ok:
		return fmt.Errorf("%q is not \"name = value\"", line)
	case name == "config" || o.flags.Lookup(name) == nil:
		return o.unknown(name)
	case seen[name] > 0:
		return fmt.Errorf("%s is set a second time; line %d has it already", name, seen[name])
	}
	seen[name] = n
	value, err := unquote(strings.TrimSpace(value))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if value == "" {
		return fmt.Errorf("%s has no value; put a # before the line to have the default", name)
	}
	if err := o.set(name, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (o *options) unknown(name string) error {
	if near := o.nearest(name); near != "" && near != "config" {
		return fmt.Errorf("there is no setting %q. Did you mean %q?", name, near)
	}
	return fmt.Errorf("there is no setting %q; \"visavis-server config\" prints all of them", name)
}

// unquote takes the quotes from a value, or, of one without, the comment after it.
func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.Index(s, " #"); i >= 0 {
			s = s[:i]
		}
		return strings.TrimSpace(s), nil
	}
	value, rest, ok := strings.Cut(s[1:], `"`)
	rest = strings.TrimSpace(rest)
	if !ok || rest != "" && rest[0] != '#' {
		return "", errors.New("a value in quotes ends with one, and nothing but a comment follows")
	}
	return value, nil
}

// writeSample writes a configuration file with every setting, its meaning and its default, all of them commented out; set
// has those that are not.
func (o *options) writeSample(w io.Writer, set map[string]string) error {
	var b strings.Builder
	b.WriteString("# Settings of visavis-server. A line that begins with # is a comment: take the # away to change what it\n" +
		"# shows, which is the default. Flags (--listen …) and the environment (VISAVIS_LISTEN …) win over this file.\n" +
		"# Wrong names and values are refused at the start, with the line's number. After a change: systemctl restart visavis\n")
	for _, g := range o.groups {
		fmt.Fprintf(&b, "\n\n## %s\n", g.title)
		if g.title == limitsTitle {
			b.WriteString("#\n# What strangers, and people gone astray, can make this server do. A rate such as \"20 then 1 per 3s\" is 20 at\n" +
				"# once and one more every 3 s; times are 500ms, 30s, 15m, 24h; a KB has 1024 bytes.\n")
		}
		for _, name := range g.names {
			writeSetting(&b, o.flags.Lookup(name), set)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeSetting(b *strings.Builder, f *flag.Flag, set map[string]string) {
	kind, usage := flag.UnquoteUsage(f)
	b.WriteString("\n")
	for _, l := range wrap(usage, 108) {
		fmt.Fprintf(b, "# %s\n", l)
	}
	if v, ok := set[f.Name]; ok {
		fmt.Fprintf(b, "%s = %s\n", f.Name, v)
		return
	}
	fmt.Fprintf(b, "#%s = %s\n", f.Name, cmp.Or(f.DefValue, kind))
}

// wrap breaks text into lines at spaces.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
