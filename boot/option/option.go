// Package option reads the kernel's command line.
//
// The line is words, separated by blanks: name=value, or only name for an
// option that is on or off. A double quote begins and ends a stretch in which
// blanks are part of the value: name="a b"; it can't be part of one itself.
// The word -- ends the kernel's options, and all words after it are the
// arguments of init.
//
// Parse is strict, because a mistyped option that is silently ignored costs
// more than one that is complained about, but a kernel can't refuse to boot
// over one: each mistake becomes an Error for the log, the option keeps its
// default, and parsing goes on. Which options there are is one table in
// table.go; docs/boot-options.md lists the same, and a test compares.
//
// The package owns nothing and takes no lock.
package option

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxLine is how many bytes of a command line are read.
const MaxLine = 4096

// Options is what a command line says. For the meaning see the table.
type Options struct {
	LogLevel   int
	LogPort    uint16
	DebugExit  uint16
	DebugCalls bool
	MaxCPUs    int
	PowerOff   bool
	Reboot     bool
	Selftest   string
	Seconds    int
	Clock      string
	InstMax    int
	InitPath   string
	Init       []string // arguments of init
	Run        string   // as written; see Command
}

// Command returns the command that run= means.
func (o *Options) Command() string {
	var b []byte
	for s := o.Run; s != ""; {
		if len(s) >= 3 && s[0] == '%' {
			if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
				b, s = append(b, byte(n)), s[3:]
				continue
			}
		}
		b, s = append(b, s[0]), s[1:]
	}
	return string(b)
}

// Encode writes a command as the value of run=, one word.
func Encode(command string) string {
	var b strings.Builder
	for _, c := range []byte(command) {
		if c <= ' ' || c == '"' || c == '%' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Error is something wrong with a command line.
type Error struct {
	Option  string // its name as written, cut if it is long; "" if all of the line is meant
	Reason  string // printable ASCII
	Warning bool   // the options are as the line says nonetheless
}

func (e *Error) Error() string {
	if e.Option == "" {
		return "command line: " + e.Reason
	}
	return fmt.Sprintf("option %+q: %s", e.Option, e.Reason)
}

// Default returns the options of an empty command line.
func Default() Options {
	var o Options
	for _, opt := range table() {
		opt.reset(&o)
	}
	return o
}

// parser is one call of Parse.
type parser struct {
	o    Options
	errs []error
	seen map[string]bool
}

// Parse returns the options of a command line, and what is wrong with it: each
// error is an *Error.
func Parse(line string) (Options, []error) {
	p := parser{o: Default(), seen: map[string]bool{}}
	if len(line) > MaxLine {
		p.fail("", "%d bytes are too many, what follows the first %d is ignored", len(line), MaxLine)
		line = cut(line)
	}
	for {
		w, rest, ok := nextWord(line)
		if !ok {
			break
		}
		line = rest
		if w.raw == "--" {
			p.init(line)
			break
		}
		p.word(w)
	}
	if p.o.PowerOff && p.o.Reboot {
		p.o.Reboot = false
		p.fail("reboot", "can't be given together with poweroff; it is ignored")
	}
	return p.o, p.errs
}

func (p *parser) fail(name, format string, args ...any) {
	p.errs = append(p.errs, &Error{Option: short(name), Reason: fmt.Sprintf(format, args...)})
}

// word takes one option.
func (p *parser) word(w word) {
	switch {
	case w.name == "":
		p.fail(w.raw, "there is no name before the value")
		return
	case !printable(w.name):
		p.fail(w.name, "a name is printable ASCII")
		return
	case w.quoted:
		p.fail(w.name, "a name has no quotes")
		return
	}
	opt := find(w.name)
	if opt == nil {
		p.fail(w.name, "unknown%s; known are: %s", suggest(w.name), known())
		return
	}
	if p.seen[w.name] {
		p.errs = append(p.errs, &Error{Option: w.name, Reason: "given more than once, the last one counts", Warning: true})
	}
	p.seen[w.name] = true
	if w.open {
		p.fail(w.name, "a quote is not closed; the default %s is used", opt.shown())
		opt.reset(&p.o)
		return
	}
	if !w.hasValue {
		if opt.kind != boolean {
			p.fail(w.name, "needs a value: %s; the default %s is used", opt.allowed(), opt.shown())
			opt.reset(&p.o)
			return
		}
		w.value = "yes"
	}
	if !opt.set(&p.o, w.value) {
		p.fail(w.name, "%+q is not allowed, only %s; the default %s is used", short(w.value), opt.allowed(), opt.shown())
		opt.reset(&p.o)
	}
}

// init takes the words after --.
func (p *parser) init(line string) {
	for {
		w, rest, ok := nextWord(line)
		if !ok {
			return
		}
		if w.open {
			p.errs = append(p.errs, &Error{Reason: "a quote in the arguments of init is not closed", Warning: true})
		}
		p.o.Init = append(p.o.Init, w.text)
		line = rest
	}
}
