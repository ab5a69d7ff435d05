package option

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	for run, want := range map[string]string{
		"":                  "",
		"ls":                "ls",
		"echo%20%22a%25%22": `echo "a%"`,
		"%0a%":              "\n%",
		"%zz%2":             "%zz%2",
	} {
		o := Options{Run: run}
		if got := o.Command(); got != want {
			t.Errorf("%q means %q, want %q", run, got, want)
		}
		if o.Run = Encode(want); o.Command() != want || strings.ContainsAny(o.Run, " \"\n") {
			t.Errorf("%q is encoded as %q", want, o.Run)
		}
	}
}

func TestParse(t *testing.T) {
	type opts = Options
	fill := strings.Repeat(" ", MaxLine)
	tests := []struct {
		name, line string
		set        func(o *opts) // what differs from the default
		errs       []string      // a part of each error, in order
	}{
		{"empty", "", nil, nil},
		{"blanks", " \t\r\n ", nil, nil},
		{"all", "loglevel=7 debugexit=0xf4 maxcpus=2 poweroff reboot=no selftest=mem seconds=60 inst.max=7 clock=pit logport=0xe9 init=/bin/sh run=ls -- -s 3",
			func(o *opts) {
				*o = opts{LogLevel: 7, DebugExit: 0xf4, MaxCPUs: 2, PowerOff: true, Selftest: "mem", Seconds: 60, InstMax: 7, Clock: "pit",
					LogPort: 0xe9, InitPath: "/bin/sh", Run: "ls", Init: []string{"-s", "3"}}
			}, nil},
		{"tabs and newline", "\tloglevel=1\n\tmaxcpus=3\n", func(o *opts) { o.LogLevel, o.MaxCPUs = 1, 3 }, nil},

		{"least", "loglevel=0 debugexit=0x0 maxcpus=1 seconds=1", func(o *opts) { o.LogLevel, o.MaxCPUs, o.Seconds = 0, 1, 1 }, nil},
		{"most", "loglevel=7 debugexit=0xFFFF maxcpus=64 seconds=86400", func(o *opts) { o.LogLevel, o.DebugExit, o.Seconds = 7, 0xffff, 86400 }, nil},
		{"above", "loglevel=8 debugexit=0x10000 maxcpus=65 seconds=86401", nil,
			[]string{`"8" is not allowed, only 0..7; the default 6`, "only 0x0..0xffff", "only 1..64", "only 1..86400"}},
		{"below", "loglevel=-1 debugexit=-0x1 maxcpus=0 seconds=0", nil, []string{"0..7", "0x0..0xffff", "1..64", "1..86400"}},
		{"far above", "maxcpus=18446744073709551617", nil, []string{"1..64"}},
		{"not a number", "maxcpus=two", nil, []string{`option "maxcpus": "two" is not allowed, only 1..64; the default 64 is used`}},
		{"half a number", "maxcpus=2x", nil, []string{"1..64"}},
		{"hex for decimal", "maxcpus=0x2", nil, []string{"1..64"}},
		{"sign, underscore, point", "maxcpus=+2 maxcpus=1_0 maxcpus=2.0", nil, []string{"1..64", "more than once", "1..64", "more than once", "1..64"}},
		{"decimal for hex", "debugexit=244", nil, []string{"0x0..0xffff"}},
		{"hex without digits", "debugexit=0x", nil, []string{"0x0..0xffff"}},
		{"hex with two", "debugexit=0x0x1", nil, []string{"0x0..0xffff"}},
		{"other clock", "clock=sundial", nil, []string{"auto|pvclock|hpet|pmtimer|pit"}},
		{"enum in capitals", "clock=PIT", nil, []string{"auto|pvclock|hpet|pmtimer|pit"}},

		{"no value", "loglevel clock selftest", nil, []string{"needs a value: 0..7", "needs a value: auto|", "needs a value: NAME; the default (none)"}},
		{"empty value", "loglevel= clock= selftest= poweroff= debugexit=", nil, []string{`"" is not`, `"" is not`, `"" is not`, `"" is not`, `"" is not`}},
		{"bools true", "poweroff=1 poweroff=on poweroff=yes poweroff=true", func(o *opts) { o.PowerOff = true }, []string{"more than once", "more than once", "more than once"}},
		{"bools false", "poweroff=0 reboot=off", nil, nil},
		{"last bool wins", "poweroff poweroff=false", nil, []string{`option "poweroff": given more than once, the last one counts`}},
		{"bad bool", "poweroff=maybe", nil, []string{"yes|on|true|1|no|off|false|0"}},
		{"poweroff and reboot", "reboot poweroff", func(o *opts) { o.PowerOff = true }, []string{`option "reboot": can't be given together with poweroff`}},

		{"duplicate", "maxcpus=2 loglevel=3 maxcpus=4", func(o *opts) { o.MaxCPUs, o.LogLevel = 4, 3 }, []string{"more than once"}},
		{"bad duplicate", "maxcpus=2 maxcpus=x", nil, []string{"more than once", "1..64; the default 64 is used"}},
		{"good duplicate", "maxcpus=x maxcpus=2", func(o *opts) { o.MaxCPUs = 2 }, []string{"1..64", "more than once"}},

		{"unknown", "frobnicate=1 maxcpus=2", func(o *opts) { o.MaxCPUs = 2 },
			[]string{`option "frobnicate": unknown; known are: clock, debugcalls, debugexit, init, inst.max, loglevel, logport, maxcpus, poweroff, reboot, run, seconds, selftest`}},
		{"mistyped", "logelvel=3", nil, []string{"unknown (did you mean loglevel?); known are: "}},
		{"capitals", "PowerOff", nil, []string{"did you mean poweroff?"}},
		{"beginning", "debug", nil, []string{"did you mean debugcalls?"}},
		{"short", "a b=1", nil, []string{"unknown; known", "unknown; known"}},
		{"no name", "=5", nil, []string{`option "=5": there is no name`}},
		{"only =", "=", nil, []string{"no name"}},
		{"control character", "log\x01level=3", nil, []string{`option "log\x01level": a name is printable ASCII`}},
		{"not ASCII", "löglevel=3 \xff", nil, []string{`option "l\u00f6glevel": a name`, `option "\xff": a name`}},
		{"DEL", "loglevel\x7f=3", nil, []string{"a name is"}},
		{"long name", strings.Repeat("x", 3000), nil, []string{"xxx...\": unknown"}},
		{"long value", "selftest=" + strings.Repeat("x", 3000) + " clock=" + strings.Repeat("y", 900),
			func(o *opts) { o.Selftest = strings.Repeat("x", 3000) }, []string{"yyy...\" is not"}},

		{"quotes", `selftest="a b" maxcpus="2"`, func(o *opts) { o.Selftest, o.MaxCPUs = "a b", 2 }, nil},
		{"quotes inside", `selftest=a" "b"="c`, func(o *opts) { o.Selftest = "a b=c" }, nil},
		{"= in value", `selftest=a=b`, func(o *opts) { o.Selftest = "a=b" }, nil},
		{"-- in quotes", `selftest="x -- y" reboot`, func(o *opts) { o.Selftest, o.Reboot = "x -- y", true }, nil},
		{"empty quotes", `selftest=""`, nil, []string{`"" is not allowed`}},
		{"open quote", `maxcpus=2 selftest="a maxcpus=3`, func(o *opts) { o.MaxCPUs = 2 }, []string{`option "selftest": a quote is not closed`}},
		{"quoted name", `"loglevel"=3`, nil, []string{"a name has no quotes"}},
		{"quoted option", `"loglevel=3"`, nil, []string{"a name has no quotes"}},
		{"quoted nothing", `""`, nil, []string{"no name"}},

		{"init", "-- a  b=c ", func(o *opts) { o.Init = []string{"a", "b=c"} }, nil},
		{"init, nothing", "reboot --", func(o *opts) { o.Reboot = true }, nil},
		{"init with options", "-- loglevel=3 -- frobnicate", func(o *opts) { o.Init = []string{"loglevel=3", "--", "frobnicate"} }, nil},
		{"init with quotes", `-- "a b" c="d e" ""`, func(o *opts) { o.Init = []string{"a b", "c=d e", ""} }, nil},
		{"init, open quote", `-- "a b`, func(o *opts) { o.Init = []string{"a b"} }, []string{"command line: a quote in the arguments"}},
		{"not --", "--loglevel=3 ---", nil, []string{"unknown", "unknown"}},

		{"as long as it may be", "maxcpus=2" + fill[:MaxLine-18] + "maxcpus=3", func(o *opts) { o.MaxCPUs = 3 }, []string{"more than once"}},
		{"too long", "maxcpus=2" + fill + "maxcpus=3", func(o *opts) { o.MaxCPUs = 2 }, []string{"command line: 4114 bytes are too many"}},
		{"cut behind a word", fill[:MaxLine-9] + "maxcpus=2 loglevel=3", func(o *opts) { o.MaxCPUs = 2 }, []string{"too many"}},
		{"cut inside a word", "maxcpus=2" + fill[:MaxLine-18] + "maxcpus=30", func(o *opts) { o.MaxCPUs = 2 }, []string{"too many"}},
		{"one long word", strings.Repeat("a", 5000), nil, []string{"5000 bytes are too many"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := Default()
			if tt.set != nil {
				tt.set(&want)
			}
			got, errs := Parse(tt.line)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("options %+v\nwant    %+v", got, want)
			}
			if len(errs) != len(tt.errs) {
				t.Fatalf("errors %q, want %d", errs, len(tt.errs))
			}
			for i, err := range errs {
				if !strings.Contains(err.Error(), tt.errs[i]) {
					t.Errorf("error %d is %q, want one with %q", i, err, tt.errs[i])
				}
				var e *Error
				if !errors.As(err, &e) {
					t.Errorf("error %d is a %T", i, err)
				} else if warn := strings.Contains(e.Reason, "more than once") || strings.Contains(e.Reason, "of init"); e.Warning != warn {
					t.Errorf("%q: warning is %v", err, e.Warning)
				}
			}
		})
	}
}

func TestTable(t *testing.T) {
	want := Options{LogLevel: 6, MaxCPUs: 64, Seconds: 5, InstMax: 100000, Clock: "auto", InitPath: "/sbin/init"}
	if got := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("default %+v, want %+v", got, want)
	}
	names, fields := []string{}, map[any]string{}
	var o Options
	for _, opt := range table() {
		names = append(names, opt.name)
		dst := opt.dst(&o)
		if other := fields[dst]; other != "" {
			t.Errorf("%s and %s have one destination", opt.name, other)
		}
		fields[dst] = opt.name
		kinds := map[kind]any{boolean: new(bool), decimal: new(int), hex: new(uint16), enum: new(string), text: new(string)}
		if reflect.TypeOf(dst) != reflect.TypeOf(kinds[opt.kind]) {
			t.Errorf("%s: destination is a %T", opt.name, dst)
		}
		if opt.def != "" && !opt.set(&o, opt.def) || opt.def == "" && opt.kind != text {
			t.Errorf("%s: its default %q is not allowed", opt.name, opt.def)
		}
		if opt.kind == hex && opt.max > 0xffff || opt.min > opt.max {
			t.Errorf("%s: range %s", opt.name, opt.allowed())
		}
		if opt.help == "" || strings.HasSuffix(opt.help, ".") || strings.Contains(opt.help, "\n") {
			t.Errorf("%s: help %q", opt.name, opt.help)
		}
		if !printable(opt.name) || strings.ContainsAny(opt.name, `="`) {
			t.Errorf("name %q can't be given", opt.name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(table()) {
		t.Errorf("names out of order, or twice: %q", names)
	}
	if n := reflect.TypeFor[Options]().NumField() - 1; len(fields) != n { // but Init
		t.Errorf("%d options for %d fields", len(fields), n)
	}
}

func TestHelp(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(Help(), "\n"), "\n")
	if len(lines) != len(table())+1 {
		t.Fatalf("%d lines for %d options and --", len(lines), len(table()))
	}
	for i, opt := range table() {
		if !strings.HasPrefix(lines[i], opt.usage()+" ") || !strings.Contains(lines[i], opt.help) ||
			!strings.HasSuffix(lines[i], "(default: "+opt.shown()+")") {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
}

// The table in the documentation is ours, row by row.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/boot-options.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "| Option | Default | What it does |\n|---|---|---|\n"
	for _, opt := range table() {
		want += fmt.Sprintf("| `%s` | %s | %s |\n", strings.ReplaceAll(opt.usage(), "|", `\|`), opt.shown(), opt.help)
	}
	var got strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "|") {
			got.WriteString(line)
		}
	}
	if got.String() != want {
		t.Errorf("docs/boot-options.md has\n%swant\n%s", got.String(), want)
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1},
		{"abc", "ac", 1}, {"ac", "abc", 1}, {"ab", "ba", 2}, {"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"loglevel=7 debugexit=0xf4 maxcpus=2 poweroff -- a \"b c\"",
		`selftest="a b" clock=pit seconds=0 reboot=maybe "x`,
		"=\x00\xff= -- ", strings.Repeat("a ", 3000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		o, errs := Parse(line)
		for _, err := range errs {
			var e *Error
			if !errors.As(err, &e) || e.Reason == "" || !printable(strings.ReplaceAll(err.Error(), " ", "")) || len(err.Error()) > 700 {
				t.Errorf("error %q", err)
			}
			if strings.Contains(e.Reason, "unknown") && !strings.Contains(e.Reason, known()) {
				t.Errorf("error %q does not list what is known", err)
			}
		}
		if o.LogLevel < 0 || o.LogLevel > 7 || o.MaxCPUs < 1 || o.MaxCPUs > 64 || o.Seconds < 1 || o.Seconds > 86400 ||
			o.PowerOff && o.Reboot || find("clock").set(&o, o.Clock) == false {
			t.Errorf("options out of range: %+v", o)
		}
		if len(line) > MaxLine && len(errs) == 0 {
			t.Error("no error for a line too long")
		}
		// What was understood without complaint can be written down again.
		if len(errs) == 0 && !strings.Contains(line, `"`) {
			again, errs := Parse(strings.Join(strings.FieldsFunc(line, func(c rune) bool { return c < 0x80 && blank(byte(c)) }), " "))
			if len(errs) != 0 || !reflect.DeepEqual(o, again) {
				t.Errorf("%+v, then %+v, %q", o, again, errs)
			}
		}
	})
}
