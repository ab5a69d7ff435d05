package check

import (
	"strings"
	"testing"
)

// instStub is as much of package inst as slots need.
const instStub = `// Package inst is a stub.
package inst

type Inst struct{}

type Slot[T any] struct{ index int }

func NewSlot[T any]() Slot[T]             { return Slot[T]{} }
func (s *Slot[T]) Of(in *Inst) *T         { return nil }
func (s *Slot[T]) Set(in *Inst, member *T) {}

func Register(index *Slot[int]) {}

type Member struct {
	Name  string
	Alloc func(in, parent *Inst) error
	Free  func(in *Inst)
}
`

// errnoStub is as much of package errno as error values need.
const errnoStub = `// Package errno is a stub.
package errno

type Errno int

func (e Errno) Error() string { return "" }

const EPERM Errno = 1
`

// TestStateRule judges one package variable v of kern/x a time. want is part
// of the reason for which v counts as mutable, empty if it doesn't.
func TestStateRule(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		// State, plain to see.
		{"counter", `var v int; func f() { v++ }`, "no initial value"},
		{"counter with a start", `var v = 1; func f() { v++ }`, "constant"},
		{"never written number", `var v = 1`, "constant"},
		{"mutex", `var v sync.Mutex; func f() { v.Lock() }`, "no initial value"},
		{"mutex as a literal", `var v = sync.Mutex{}; func f() { v.Lock() }`, "its method Lock may write it"},
		{"atomic as a literal", `var v = atomic.Int32{}; func f() { v.Add(1) }`, "its method Add may write it"},
		{"array without value", `var v [4]int; func f() int { return v[1] }`, "no initial value"},
		{"pointer", `var v = new(int)`, "neither a slot"},
		{"made map", `var v = make(map[string]int)`, "neither a slot"},
		{"channel", `var v = make(chan int)`, "neither a slot"},
		{"function variable", `var v = f; func f() {}`, "neither a slot"},
		{"closure with a counter", `var v = func() func() int { n := 0; return func() int { n++; return n } }()`, "neither a slot"},
		{"several from one call", `var v, u = f(); func f() (int, int) { return 1, 2 }`, "sets several"},
		{"interface around a pointer", `var v fmt.Stringer = &s{}; type s struct{}; func (*s) String() string { return "" }`, "behind an interface"},

		// Slots.
		{"slot", `var v = inst.NewSlot[int](); func f(in *inst.Inst) { n := v.Of(in); *n = 1; v.Set(in, n) }`, ""},
		{"slot registered", `var v inst.Slot[int]; func init() { inst.Register(&v) }`, ""},
		{"slot in parentheses", `var (v = (inst.NewSlot[string]()))`, ""},
		{"slot assigned again", `var v = inst.NewSlot[int](); func f() { v = inst.NewSlot[int]() }`, "assigned to at kern/x/x.go:"},
		{"slot by address", `var v = inst.NewSlot[int](); var _ = 0; func f() *inst.Slot[int] { return &v }`, "address is taken"},
		{"no real slot", `var v = NewSlot(); type Slot struct{ n int }; func NewSlot() Slot { return Slot{} }`, "neither a slot"},
		{"member row", `var v = inst.Member{Name: "x", Alloc: alloc}; func alloc(in, p *inst.Inst) error { return nil }; func f() error { m := v; return m.Alloc(nil, nil) }`, ""},

		// Errors.
		{"error", `var v = errors.New("x"); func f() error { return v }`, ""},
		{"formatted error", `var v = fmt.Errorf("x %d", 1)`, ""},
		{"error number", `var v error = errno.EPERM`, ""},
		{"error number without a type", `var v = errno.EPERM`, ""},
		{"error assigned again", `var v = errors.New("x"); func f() { v = nil }`, "assigned to"},
		{"last error", `var v error; func f() { v = errors.New("x") }`, "no initial value"},
		{"error from elsewhere", `var v = f(); func f() error { return nil }`, "neither a slot"},

		// Tables that are read.
		{"read only", `var v = [...]int{1, 2}; func f(i int) int { return v[i] + len(v) }`, ""},
		{"ranged over", `var v = []int{1}; func f() (n int) { for i, x := range v { n += i + x }; return }`, ""},
		{"unused", `var v = []int{1}`, ""},
		{"array passed by value", `var v = [2]int{}; func f() { g(v) }; func g(a [2]int) { a[0] = 1 }`, ""},
		{"copy written", `var v = struct{ n int }{1}; func f() { x := v; x.n = 2 }`, ""},
		{"copied in a loop", `type row struct{ n int }; var v = []row{{1}}; func f() { for _, r := range v { r.n++ } }`, ""},
		{"map read", `var v = map[string]int{"a": 1}; func f() bool { n, ok := v["a"]; return ok && n > 0 }`, ""},
		{"functions", `var v = map[string]func() int{"a": g}; func f() int { return v["a"]() }; func g() int { return 1 }`, ""},
		{"value method", `type tab [2]int; var v = tab{}; func (t tab) sum() int { t[0] = 1; return t[0] }; func f() int { return v.sum() }`, ""},
		{"reading slice method", `type tab []int; var v = tab{1}; func (t tab) sum() int { return t[0] }; func f() int { return v.sum() }`, ""},
		{"reading pointer method", `type tab [2]int; var v = tab{}; func (t *tab) sum() int { return t[0] }; func f() int { return v.sum() }`, ""},
		{"passed to a reader", `var v = []int{1}; func f() int { return g(v) }; func g(a []int) int { return len(a) + a[0] }`, ""},
		{"passed to a reading generic", `var v = []int{1}; func f() int { return g(v) }; func g[T any](a []T) int { return len(a) }`, ""},
		{"passed to a reader of the library", `var v = []string{"a"}; func f() bool { return slices.Contains(v, "b") && strings.Join(v, "") != "" }`, ""},
		{"copied out", `var v = []int{1}; func f(b []int) []int { copy(b, v); return append(b, v...) }`, ""},
		{"pointer to a row, read", `type row struct{ n int }; var v = []row{{1}}; func f() int { r := &v[0]; return r.n }`, ""},
		{"row is a pointer, read", `type row struct{ n int }; var v = []*row{{1}}; func f() int { for _, r := range v { return r.n }; return 0 }`, ""},
		{"errors in a table", `var v = map[int]error{1: e, 2: errors.New("x")}; var e = errors.New("e"); func f() error { return v[1] }`, ""},
		{"plain values behind an interface", `type t struct{ n int }; func (t) String() string { return "" }; var v = []fmt.Stringer{t{1}}; func f() string { return v[0].String() }`, ""},
		{"table of zeros", `var v = [4096]byte{}; func f(b []byte) { copy(b, v[:]) }`, ""},
		{"string to bytes", `var v = []byte("abc"); func f() byte { return v[0] }`, ""},
		{"local alias turned elsewhere", `var v = []int{1}; func f(b []int) int { x := v; x = b; return x[0] }`, ""},

		// Tables that are written.
		{"map written", `var v = map[string]int{}; func f() { v["a"] = 1 }`, "written at kern/x/x.go:"},
		{"element written", `var v = [2]int{}; func f() { v[0] = 1 }`, "written"},
		{"element counted", `var v = [2]int{}; func f() { v[0]++ }`, "written"},
		{"element added to", `var v = [2]int{}; func f() { v[0] += 2 }`, "written"},
		{"field of element written", `var v = []struct{ n int }{{1}}; func f() { v[0].n = 2 }`, "written"},
		{"written in a multiple assignment", `var v = []int{1}; func f() { var a int; a, v[0] = 1, 2; _ = a }`, "written"},
		{"written by a loop", `var v = [1]int{}; func f() { for v[0] = range 3 { } }`, "written"},
		{"replaced", `var v = []int{1}; func f() { v = nil }`, "written"},
		{"in a closure", `var v = []int{1}; func f() func() { return func() { v[0] = 1 } }`, "written"},
		{"by init", `var v = []int{1}; func init() { v[0] = 2 }`, "written"},
		{"appended to", `var v = []int{1}; func f() { v = append(v, 2) }`, "mutable"},
		{"appended elsewhere", `var v = []int{1}; func f() []int { return append(v[:0], 2) }`, "built-in"},
		{"deleted from", `var v = map[string]int{}; func f() { delete(v, "a") }`, "built-in"},
		{"cleared", `var v = map[string]int{}; func f() { clear(v) }`, "built-in"},
		{"copied into", `var v = []int{1}; func f() { copy(v, []int{2}) }`, "built-in"},
		{"address taken", `var v = [2]int{}; func f() *[2]int { return &v }`, "handed out"},
		{"address of an element", `var v = [2]int{}; func f() { p := &v[0]; *p = 1 }`, "written"},
		{"atomic by address", `var v = [1]int32{}; func f() { atomic.AddInt32(&v[0], 1) }`, "can't be followed"},
		{"unsafe address", `var v = [1]int{}; func f() uintptr { return uintptr(unsafe.Pointer(&v)) }`, "unsafe.Pointer"},
		{"sliced and kept", `var v = [2]int{}; func f() []int { return v[:] }`, "handed out"},
		{"returned", `var v = []int{1}; func f() []int { return v }`, "handed out"},
		{"returned by name", `var v = []int{1}; func f() (x []int) { x = v; return }`, "handed out"},
		{"alias written", `var v = []int{1}; func f() { x := v; x[0] = 1 }`, "written"},
		{"alias of an alias", `var v = []int{1}; func f() { x := v; var y = x; y[0] = 1 }`, "written"},
		{"alias returned", `var v = []int{1}; func f() []int { x := v; return x }`, "handed out"},
		{"kept in a field", `var v = []int{1}; type s struct{ t []int }; func f(x *s) { x.t = v }`, "can't be followed"},
		{"kept in a literal", `var v = []int{1}; type s struct{ t []int }; func f() s { return s{v} }`, "handed out"},
		{"sent", `var v = []int{1}; func f(c chan []int) { c <- v }`, "handed out"},
		{"in an interface", `var v = []int{1}; func f() { var x any = v; x.([]int)[0] = 1 }`, "interface"},
		{"converted to an interface", `var v = []int{1}; func f() { any(v).([]int)[0] = 1 }`, "interface"},
		{"passed to a writer", `var v = []int{1}; func f() { g(v) }; func g(a []int) { a[0] = 1 }`, "in g it is written"},
		{"passed on to a writer", `var v = []int{1}; func f() { g(v) }; func g(a []int) { h(a) }; func h(a []int) { a[0] = 1 }`, "in g in h it is written"},
		{"passed to a writing generic", `var v = []int{1}; func f() { g(v) }; func g[T any](a []T) { var z T; a[0] = z }`, "in g it is written"},
		{"passed to a sorter", `var v = []int{1}; func f() { slices.Sort(v) }`, "can't be followed"},
		{"passed to a function value", `var v = []int{1}; func f(g func([]int)) { g(v) }`, "function value"},
		{"written by a method", `type tab []int; var v = tab{1}; func (t tab) set() { t[0] = 1 }; func f() { v.set() }`, "in method set it is written"},
		{"written by a pointer method", `type tab [2]int; var v = tab{}; func (t *tab) set() { t[0] = 1 }; func f() { v.set() }`, "in method set it is written"},
		{"written by a method expression", `type tab []int; var v = tab{1}; func (t tab) set(n int) { t[0] = n }; func f() { tab.set(v, 1) }`, "in set it is written"},
		{"method kept", `type tab [2]int; var v = tab{}; func (t *tab) set() { t[0] = 1 }; func f() func() { return v.set }`, "in method set it is written"},
		{"ranged over by address and written", `var v = [2][]int{}; func f() { for _, s := range &v { s[0] = 1 } }`, "written"},
		{"row is a pointer, written", `type row struct{ n int }; var v = []*row{{1}}; func f() { for _, r := range v { r.n = 1 } }`, "written"},
		{"inner slice written", `var v = map[string][]int{"a": {1}}; func f() { s := v["a"]; s[0] = 2 }`, "written"},
		{"pointer behind an interface", `type t struct{ n int }; func (*t) String() string { return "" }; var v = []fmt.Stringer{&t{1}}`, "behind an interface"},
		{"state in a table", `var v = []*int{&n}; var n int`, "leads to something"},
		{"channel in a table", `var v = []chan int{make(chan int)}`, "what a call returned"},
		{"closure in a table", `var v = []func(){g()}; func g() func() { return nil }`, "what a call returned"},
		{"bound method in a table", `var v = []func(){c.add}; var c = &counter{}; type counter struct{ n int }; func (c *counter) add() { c.n++ }`, "bound to a receiver"},
		{"mutex in a table", `var v = struct{ sync.Mutex }{}; func f() { v.Lock() }`, "may write it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "// Package x is a test.\npackage x\n" + importsFor(tt.text) + tt.text
			tree := load(t, map[string]string{
				"kern/x/x.go": text, "inst/inst.go": instStub, "kern/errno/errno.go": errnoStub,
			})
			list, err := State(tree, exports, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range list {
				if strings.Contains(f.Msg, "does not type-check") {
					t.Fatal(f)
				}
				if strings.HasPrefix(f.Msg, "kern/x.v is mutable") {
					got = f.Msg
				}
			}
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("verdict %q, want %q", got, tt.want)
			}
		})
	}
}

// importsFor imports what a snippet uses.
func importsFor(text string) string {
	s := ""
	for _, p := range []string{"errors", "fmt", "sync", "sync/atomic", "slices", "strings", "unsafe", "mult/inst", "mult/kern/errno"} {
		if strings.Contains(text, p[strings.LastIndex(p, "/")+1:]+".") {
			s += "import \"" + p + "\"\n"
		}
	}
	return s
}

// TestStateTree has what takes more than one file.
func TestStateTree(t *testing.T) {
	const table = "// Package x is a test.\npackage x\n\nvar Table = []int{1}\n"
	tests := []struct {
		name    string
		files   map[string]string
		reasons []Reason
		want    []string
	}{
		{"written in another file",
			map[string]string{"kern/x/x.go": table, "kern/x/y.go": "package x\nfunc f() { Table[0] = 1 }"}, nil,
			[]string{"kern/x/x.go:4: kern/x.Table is mutable package state: it is written at kern/x/y.go:2"}},
		{"written in another package",
			map[string]string{"fs/x/x.go": table, "boot/b.go": "package boot\nimport \"mult/fs/x\"\nfunc f() { x.Table[0]++ }"}, nil,
			[]string{"written at boot/b.go:3"}},
		{"read in another package",
			map[string]string{"net/x/x.go": table, "boot/b.go": "package boot\nimport \"mult/net/x\"\nfunc f() int { return x.Table[0] }"}, nil, nil},
		{"written for one system",
			map[string]string{"kern/x/x.go": table, "kern/x/y.go": "//go:build tamago\n\npackage x\nfunc f() { Table[0] = 1 }"}, nil,
			[]string{"written at kern/x/y.go:4"}},
		{"written behind a tag",
			map[string]string{"kern/x/x.go": table, "kern/x/y.go": "//go:build debug\n\npackage x\nfunc f() { Table[0] = 1 }"}, nil,
			[]string{"written at kern/x/y.go:4"}},
		{"written by a file named for a system",
			map[string]string{"kern/x/x.go": table, "kern/x/y_tamago.go": "//go:build tamago\n\npackage x\nfunc f() { Table[0] = 1 }"}, nil,
			[]string{"written at kern/x/y_tamago.go:4"}},
		{"in no build",
			map[string]string{"kern/x/x.go": table, "kern/x/y.go": "//go:build windows\n\npackage x\nvar n int"}, nil,
			[]string{"kern/x/y.go: no build of mult"}},
		{"written by a test", // the kernel doesn't contain it
			map[string]string{"kern/x/x.go": table, "kern/x/x_test.go": "package x\nfunc f() { Table[0] = 1 }"}, nil, nil},
		{"outside the rooms",
			map[string]string{"arch/amd64/x.go": "package amd64\nvar n int", "boot/x.go": "package boot\nvar n int"}, nil, nil},
		{"each room",
			map[string]string{"kern/x.go": "package kern\nvar n int", "inst/x.go": "package inst\nvar n int",
				"fs/x/x.go": "package x\nvar n int", "net/x.go": "package net\nvar n int"}, nil,
			[]string{"fs/x.n", "inst.n", "kern.n", "net.n"}},
		{"broken",
			map[string]string{"kern/x/x.go": "package x\nfunc f() int { return nosuch }"}, nil,
			[]string{"does not type-check: undefined: nosuch"}},
		{"blank assertion",
			map[string]string{"kern/x/x.go": "package x\ntype i interface{ f() }\ntype t struct{}\nfunc (*t) f() {}\nvar _ i = (*t)(nil)\nvar _ i = &t{}\nvar _ = [1]int{}[1-1]"}, nil, nil},
		{"blank call",
			map[string]string{"kern/x/x.go": "package x\nfunc f() int { return 1 }\nvar _ = f()"}, nil,
			[]string{"a blank variable hides a call"}},
		{"listed",
			map[string]string{"kern/x/x.go": "package x\nvar n int"}, []Reason{{"kern/x.n", "counts page frames, hardware"}}, nil},
		{"listed without a reason",
			map[string]string{"kern/x/x.go": "package x\nvar n int"}, []Reason{{"kern/x.n", "needed"}},
			[]string{"kern/x.n is listed without a reason"}},
		{"listed twice",
			map[string]string{"kern/x/x.go": "package x\nvar n int"}, []Reason{{"kern/x.n", "one two three"}, {"kern/x.n", "one two three"}},
			[]string{"kern/x.n is listed twice"}},
		{"listed and gone",
			map[string]string{"kern/x/x.go": "package x"}, []Reason{{"kern/x.n", "one two three"}},
			[]string{"kern/x.n is listed as global state, but no such"}},
		{"listed without need",
			map[string]string{"kern/x/x.go": table}, []Reason{{"kern/x.Table", "one two three"}},
			[]string{"kern/x.Table is listed as global state, but no such"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := State(load(t, tt.files), exports, tt.reasons)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, list, tt.want)
		})
	}
}

func TestReasons(t *testing.T) {
	const text = `# A
| ` + "`kern/x.no`" + ` | before the heading |
## Global state
Words.

| variable | reason |
|---|---|
| ` + "`kern/x.n`" + ` | counts the frames |
| ` + "`inst.all`" + ` | the list of instances |

### Below it
| ` + "`inst.id`" + ` | the last id |
## Next
| ` + "`kern/x.no`" + ` | after it |
`
	got, err := Reasons(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []Reason{{"kern/x.n", "counts the frames"}, {"inst.all", "the list of instances"}, {"inst.id", "the last id"}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d: %v, want %v", i, got[i], want[i])
		}
	}
	if _, err := Reasons("# A\n"); err == nil {
		t.Error("no error without the heading")
	}
	if _, err := Reasons("## Global state\n| `a.b` | c | d |\n"); err == nil {
		t.Error("no error for three columns")
	}
}
