package option

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is what values an option has.
type kind int

const (
	boolean kind = iota // destination *bool
	decimal             // *int, from min to max
	hex                 // *uint16, from min to max, written with 0x
	enum                // *string, one of values
	text                // *string, not empty
)

// option is one row of the table.
type option struct {
	name     string
	kind     kind
	def      string // default, as it would be written; "" is the zero value
	min, max uint64
	values   []string
	arg      string // of a text: what to call it in help
	help     string // one line, no full stop
	dst      func(*Options) any
}

// table returns all options, by name.
func table() []option {
	return []option{
		{name: "clock", kind: enum, def: "auto", values: []string{"auto", "pvclock", "hpet", "pmtimer", "pit"},
			help: "what the time stamp counter is measured against",
			dst:  func(o *Options) any { return &o.Clock }},
		{name: "debugcalls", kind: boolean, def: "no",
			help: "programs may use debug_panic, by which the kernel faults",
			dst:  func(o *Options) any { return &o.DebugCalls }},
		{name: "debugexit", kind: hex, def: "0x0", max: 0xffff,
			help: "port of QEMU's isa-debug-exit device, which power-off writes the exit status to; 0x0 is none",
			dst:  func(o *Options) any { return &o.DebugExit }},
		{name: "init", kind: text, arg: "PATH", def: "/sbin/init",
			help: "the program of the first process",
			dst:  func(o *Options) any { return &o.InitPath }},
		{name: "inst.max", kind: decimal, def: "100000", min: 1, max: 1000000,
			help: "how many operating instances there are at most, inst0 included",
			dst:  func(o *Options) any { return &o.InstMax }},
		{name: "loglevel", kind: decimal, def: "6", max: 7,
			help: "least important messages that the console shows: 0 emergencies only, 6 all but debugging, 7 all",
			dst:  func(o *Options) any { return &o.LogLevel }},
		{name: "logport", kind: hex, def: "0x0", max: 0xffff,
			help: "port of QEMU's isa-debugcon device, which gets the kernel's messages in the console's place; 0x0 is none",
			dst:  func(o *Options) any { return &o.LogPort }},
		{name: "maxcpus", kind: decimal, def: "64", min: 1, max: 64,
			help: "how many CPUs are used at most",
			dst:  func(o *Options) any { return &o.MaxCPUs }},
		{name: "poweroff", kind: boolean, def: "no",
			help: "power off when boot is complete",
			dst:  func(o *Options) any { return &o.PowerOff }},
		{name: "reboot", kind: boolean, def: "no",
			help: "reboot when boot is complete; not together with poweroff",
			dst:  func(o *Options) any { return &o.Reboot }},
		{name: "run", kind: text, arg: "COMMAND",
			help: "a command that /bin/sh runs as the first process, the console left raw; %xx stands for the byte with that number",
			dst:  func(o *Options) any { return &o.Run }},
		{name: "seconds", kind: decimal, def: "5", min: 1, max: 86400,
			help: "how long a self-test that runs for a time takes",
			dst:  func(o *Options) any { return &o.Seconds }},
		{name: "selftest", kind: text, arg: "NAME",
			help: "the self-test to run; only the test kernel has any",
			dst:  func(o *Options) any { return &o.Selftest }},
	}
}

func find(name string) *option {
	for _, opt := range table() {
		if opt.name == name {
			return &opt
		}
	}
	return nil
}

// set stores a value if it is allowed.
func (opt *option) set(o *Options, value string) bool {
	switch dst := opt.dst(o).(type) {
	case *bool:
		*dst = slices.Contains(yes(), value)
		return *dst || slices.Contains(no(), value)
	case *int:
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n < opt.min || n > opt.max {
			return false
		}
		*dst = int(n)
	case *uint16:
		digits, ok := strings.CutPrefix(value, "0x")
		n, err := strconv.ParseUint(digits, 16, 64)
		if !ok || err != nil || n < opt.min || n > opt.max {
			return false
		}
		*dst = uint16(n)
	case *string:
		if value == "" || opt.kind == enum && !slices.Contains(opt.values, value) {
			return false
		}
		*dst = value
	}
	return true
}

// reset stores the default.
func (opt *option) reset(o *Options) {
	if opt.def == "" {
		*opt.dst(o).(*string) = ""
		return
	}
	opt.set(o, opt.def)
}

func yes() []string { return []string{"yes", "on", "true", "1"} }
func no() []string  { return []string{"no", "off", "false", "0"} }

// allowed returns the values an option may have.
func (opt *option) allowed() string {
	switch opt.kind {
	case boolean:
		return strings.Join(append(yes(), no()...), "|")
	case decimal:
		return fmt.Sprintf("%d..%d", opt.min, opt.max)
	case hex:
		return fmt.Sprintf("%#x..%#x", opt.min, opt.max)
	case enum:
		return strings.Join(opt.values, "|")
	}
	return opt.arg
}

// shown returns the default as a reader is told of it.
func (opt *option) shown() string {
	if opt.def == "" {
		return "(none)"
	}
	return opt.def
}

// usage returns an option as one writes it.
func (opt *option) usage() string {
	if opt.kind == boolean {
		return opt.name
	}
	return opt.name + "=" + opt.allowed()
}

// Help returns a line for each option: usage, meaning and default.
func Help() string {
	var b strings.Builder
	width := 0
	for _, opt := range table() {
		width = max(width, len(opt.usage()))
	}
	for _, opt := range table() {
		fmt.Fprintf(&b, "%-*s  %s (default: %s)\n", width, opt.usage(), opt.help, opt.shown())
	}
	fmt.Fprintf(&b, "%-*s  %s\n", width, "-- ARGUMENT...", "arguments of init")
	return b.String()
}

// known returns the names of all options.
func known() string {
	var names []string
	for _, opt := range table() {
		names = append(names, opt.name)
	}
	return strings.Join(names, ", ")
}

// suggest returns a question about the known name that is nearest, "" if none
// is near.
func suggest(name string) string {
	best, least := "", 3
	for _, opt := range table() {
		d := distance(strings.ToLower(short(name)), opt.name)
		if len(name) >= 3 && strings.HasPrefix(opt.name, name) {
			d = 1
		}
		if d < least {
			best, least = opt.name, d
		}
	}
	if best == "" || least >= len(name) {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance counts the bytes to insert, remove or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diag
			if a[i] != b[j] {
				d = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
