package option

import "strings"

// word is a word of the command line.
type word struct {
	raw      string // as written
	text     string // without quotes
	name     string // what is before the first =, or all
	value    string // what is behind it
	hasValue bool
	quoted   bool // there are quotes in the name
	open     bool // the last quote isn't closed
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// nextWord takes the first word off a line.
func nextWord(line string) (w word, rest string, ok bool) {
	for line != "" && blank(line[0]) {
		line = line[1:]
	}
	if line == "" {
		return word{}, "", false
	}
	var b strings.Builder
	equals := -1 // where in the text
	n := 0
	for ; n < len(line) && (w.open || !blank(line[n])); n++ {
		switch c := line[n]; {
		case c == '"':
			w.open = !w.open
			w.quoted = w.quoted || equals < 0
			continue
		case c == '=' && equals < 0:
			equals = b.Len()
		}
		b.WriteByte(line[n])
	}
	w.raw, w.text = line[:n], b.String()
	w.name = w.text
	if equals >= 0 {
		w.hasValue = true
		w.name, w.value = w.text[:equals], w.text[equals+1:]
	}
	return w, line[n:], true
}

// cut shortens a line to MaxLine, and further to the end of a word if one was
// cut in two: half an option might be a different one.
func cut(line string) string {
	if line = line[:MaxLine+1]; !blank(line[MaxLine]) {
		line = line[:strings.LastIndexAny(line, " \t\n\r")+1]
	}
	return line[:min(len(line), MaxLine)]
}

// printable reports whether s is printable ASCII.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}

// short cuts what is to be quoted in an error.
func short(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most-3] + "..."
}
